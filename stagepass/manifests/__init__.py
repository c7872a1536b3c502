"""
Live objects held against those of a release: what differs, and what the API server adds by itself.

Nothing here reads a clock, a socket or a file, but the table of defaults that is shipped beside it.
"""
