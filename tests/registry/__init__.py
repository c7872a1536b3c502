"""The registry half, against real HTTP on loopback."""
