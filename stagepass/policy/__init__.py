"""
Policy: the model, how files become it, what it decides, and what is suspicious about it.

`model` and `evaluate` are pure and reach no clock, socket, file, environment or log.
"""
