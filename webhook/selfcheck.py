"""Readiness by deed: a good bundle is accepted and a bad one refused, by the code that judges reviews."""

from __future__ import annotations

from dataclasses import replace

from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.digest import Digest
from stagepass.evidence import Attestation, Candidate
from stagepass.signing import PrivateKey
from stagepass.statement import compose


class SelfCheck:
    """A golden pair, signed once with a key that nothing else trusts."""

    def __init__(self) -> None:
        key = PrivateKey.generate()
        self._digest = Digest.of(b"stagepass self-check")
        payload = compose(
            name="self-check", digest=self._digest, predicate_type="self-check", predicate=b"{}"
        )
        good = key.sign(payload)
        tampered = replace(good.envelope, payload=payload.replace(b"{}", b"[]"))
        self._keys = KeyRing.of([(key.public, "self-check")])
        self._good = Candidate(good.to_bytes(), "golden good")
        self._bad = Candidate(Bundle(tampered, good.hint).to_bytes(), "golden bad")

    def passes(self) -> bool:
        """Whether both are judged right."""
        good, bad = (self._keys.verify(c, self._digest) for c in (self._good, self._bad))
        return isinstance(good, Attestation) and not isinstance(bad, Attestation)
