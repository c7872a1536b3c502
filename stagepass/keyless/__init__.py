"""
Certificates of Sigstore: the one package that knows the library of that name (430 CPU-ms to import).

It is loaded by name, for a policy set that names an identity and for a command that signs as one.
"""

from __future__ import annotations

import logging

# Without a handler of theirs, what they warn of goes to standard error, past every log of ours.
for _library in ("sigstore", "tuf"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
