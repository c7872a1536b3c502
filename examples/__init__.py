"""Runnable examples: each is a module, run by the tests."""
