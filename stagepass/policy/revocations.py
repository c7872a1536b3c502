"""What no longer counts, whatever was signed: the policy set's revocation list, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stagepass.attestor import PublicKey
from stagepass.clock import format_time
from stagepass.decision import Code
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Evidence, Rejection
from stagepass.identity import Certified, Glob, Identity, Span
from stagepass.predicates.revocation import Entry


@dataclass(frozen=True, slots=True)
class Revoked:
    """
    A signer that counts no more: why, and since when somebody else may have signed in its name.

    `since` None: everything it signed is dead, whenever that was.
    """

    reason: str
    since: datetime | None = None

    def kills(self, signed: Span | None) -> bool:
        """Whether what it signed is dead: all but what is proven to be earlier (`signed.latest`)."""
        return self.since is None or signed is None or signed.latest >= self.since


@dataclass(frozen=True, slots=True)
class Revocations:
    """
    A verified list. `artifacts` and `attestations` are sha256 hex digests, each with its reason;
    `keys` are key ids, `identities` (subject or pattern, issuer) as `folded` has them, "" for every
    issuer. After `expires` it denies everything where `deny_when_expired`. `signers` are the attestors
    that may sign the next one.
    """

    sequence: int
    expires: datetime
    deny_when_expired: bool
    artifacts: Mapping[str, str] = field(default_factory=dict, hash=False)
    attestations: Mapping[str, str] = field(default_factory=dict, hash=False)
    keys: Mapping[str, Revoked] = field(default_factory=dict, hash=False)
    identities: Mapping[tuple[str, str], Revoked] = field(default_factory=dict, hash=False)
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
        for revoked in self.of(attestation.key_id, attestation.certified):
            if revoked.kills(attestation.signed):
                what = "key" if attestation.certified is None else "identity"
                return (
                    f"the {what} of {attestation.owner} is revoked: {revoked.reason}{_but(revoked)}"
                )
        return None

    def names(self, signer: PublicKey | Identity) -> bool:
        """Whether it is on the list, since whenever: of a pattern all that it takes."""
        if isinstance(signer, PublicKey):
            return signer.id in self.keys
        subject, issuer = folded(signer.subject.text, signer.issuer)
        return any(
            of in ("", issuer) and Glob(who).covers(Glob(subject)) for who, of in self.identities
        )

    def of(self, key_id: str, certified: Certified | None = None) -> tuple[Revoked, ...]:
        """What the list says of whoever signs so; of a certificate its subject and issuer count alone."""
        if certified is None:
            found = [self.keys.get(key_id)]
        else:
            subject, issuer = folded(certified.subject, certified.issuer)
            found = [
                revoked
                for (who, of), revoked in self.identities.items()
                if of in ("", issuer)
                and (who == subject or ("*" in who and Glob(who).matches(subject)))
            ]
        return tuple(revoked for revoked in found if revoked is not None)


def signers_of(
    entries: Iterable[Entry],
) -> tuple[dict[str, Revoked], dict[tuple[str, str], Revoked]]:
    """The revoked keys and identities of a list; of several entries for one the strictest counts."""
    keys: dict[str, Revoked] = {}
    identities: dict[tuple[str, str], Revoked] = {}
    for entry in entries:
        new = Revoked(entry.reason, entry.compromised_since)
        if entry.kind == "key":
            keys[entry.value] = _stricter(keys.get(entry.value), new)
        elif entry.kind == "identity":
            who = folded(entry.value, entry.issuer)
            identities[who] = _stricter(identities.get(who), new)
    return keys, identities


def folded(subject: str, issuer: str) -> tuple[str, str]:
    """
    As revoked names are compared: without case, and the issuer without a last slash.

    An entry that misses is silent; one that takes a namesake along is noticed.
    """
    return subject.casefold(), issuer.rstrip("/").casefold()


def _stricter(old: Revoked | None, new: Revoked) -> Revoked:
    if old is None or new.since is None:
        return new
    return old if old.since is None or old.since <= new.since else new


def _but(revoked: Revoked) -> str:
    if revoked.since is None:
        return ""
    return f", and nothing proves that this is from before {format_time(revoked.since)}"
