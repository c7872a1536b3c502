"""Honest loopback servers that can be told to lie; standard library only."""
