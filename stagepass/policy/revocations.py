"""What no longer counts, whatever was signed: the policy set's revocation list, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stagepass.clock import format_time
from stagepass.decision import Code
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Evidence, Rejection


@dataclass(frozen=True, slots=True)
class Revocations:
    """
    A verified list. `artifacts` and `attestations` are sha256 hex digests, `keys` key ids; each maps
    to its reason. After `expires` it denies everything where `deny_when_expired`. `signers` are the
    attestors that may sign the next one.

    A revoked key kills everything it signed: without a trusted time, nothing proves "earlier".
    """

    sequence: int
    expires: datetime
    deny_when_expired: bool
    artifacts: Mapping[str, str] = field(default_factory=dict, hash=False)
    attestations: Mapping[str, str] = field(default_factory=dict, hash=False)
    keys: Mapping[str, str] = field(default_factory=dict, hash=False)
    signers: tuple[str, ...] = ()

    def reason(self, image: ImageRef) -> str | None:
        """Why the image itself is on the list, or None."""
        return None if image.digest is None else self.artifacts.get(image.digest.hex)

    def judge(self, image: ImageRef, now: datetime) -> tuple[Code, str] | None:
        """Why `image` may run nowhere, or None."""
        if self.deny_when_expired and self.expires <= now:
            return Code.REVOKED, f"the revocation list expired at {format_time(self.expires)}"
        reason = self.reason(image)
        return None if reason is None else (Code.REVOKED, f"the image is revoked: {reason}")

    def notices(self, now: datetime) -> tuple[str, ...]:
        """What is told beside every answer."""
        if self.expires > now:
            return ()
        return (f"the revocation list expired at {format_time(self.expires)}",)

    def keep(self, evidence: Evidence) -> Evidence:
        """The evidence that still counts; the rest as rejections, so that a denial says why."""
        kept: list[Attestation] = []
        revoked: list[Rejection] = []
        for attestation in evidence.attestations:
            reason = self._reason(attestation)
            if reason is None:
                kept.append(attestation)
                continue
            statement = attestation.statement
            origin = str(statement.payload_digest)
            revoked.append(Rejection(Code.REVOKED, reason, statement.predicate_type, origin))
        return Evidence(tuple(kept), (*evidence.rejections, *revoked))

    def _reason(self, attestation: Attestation) -> str | None:
        payload = attestation.statement.payload_digest.hex
        if payload in self.attestations:
            return f"an attestation by {attestation.owner} is revoked: {self.attestations[payload]}"
        if attestation.key_id in self.keys:
            return f"the key of {attestation.owner} is revoked: {self.keys[attestation.key_id]}"
        return None
