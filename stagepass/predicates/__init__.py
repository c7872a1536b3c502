"""
Our own predicate types, a module each: what a statement of the type says, read and written.

predicates.md is the specification. `parse` raises `AttestationError` with `STATEMENT_INVALID`, naming
the field; `compose` gives the text of a predicate. Nothing here decides.
"""
