"""Releases: what goes into one, what never does, and that no byte of it can change unnoticed."""
