"""
A miniature of sigstore: certificate authority, transparency logs, time stamps, OIDC; all ours.

    sigstore = Sigstore()
    root = sigstore.trusted_root()
    bundle = sigstore.bundle(statement, Identity("https://ci.example.com", "https://ci.example.com/job"))
    forged = sigstore.bundle(statement, identity, log="v2", tsa=True, lies=Lies(foreign_tsa=True))

Honest until `Lies` say otherwise.
"""

from __future__ import annotations

from tests.simulators.sigstore.fulcio import Identity
from tests.simulators.sigstore.lies import HONEST, Lies
from tests.simulators.sigstore.miniature import IN_TOTO, Sigstore
from tests.simulators.sigstore.root import Windows

__all__ = ["HONEST", "IN_TOTO", "Identity", "Lies", "Sigstore", "Windows"]
