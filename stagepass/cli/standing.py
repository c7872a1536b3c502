"""Whether a policy set counts who signs: asked before anything is signed, and again before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from stagepass.clock import format_time
from stagepass.digest import Digest
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.identity import Certified, Identity, Span
from stagepass.policy.model import PolicySet
from stagepass.signing import Signer
from stagepass.statement import Statement


@dataclass(frozen=True, slots=True)
class Standing:
    """One signer before one policy set."""

    policy: PolicySet
    signer: Signer

    @property
    def is_foreign(self) -> bool:
        """
        Whether the set names no issuer that its certificate could have: no certificate is asked for then.

        That would be logged for good, with its subject, and count for nothing.
        """
        entries = (key.public for each in self.policy.attestors.values() for key in each.keys)
        named = {public.issuer for public in entries if isinstance(public, Identity)}
        return bool(self.signer.issuers) and named.isdisjoint(self.signer.issuers)

    @property
    def key_id(self) -> str:
        """As the set may know it; "" of one that is foreign to it."""
        return "" if self.is_foreign else self.signer.key_id

    @property
    def certified(self) -> Certified | None:
        """
        What the certificate says, as if every trust root of the set backed it; None of a key.

        That one does is known only of the finished bundle: `refusal` asks.
        """
        said = None if self.is_foreign else self.signer.certified
        return None if said is None else replace(said, roots=frozenset(self.policy.trust_roots))

    @property
    def signed(self) -> Span | None:
        """When it is to be signed: any moment of the certificate's life, as the gate takes it."""
        return None if self.is_foreign else self.signer.signed

    def said(self, statement: Statement) -> Attestation | None:
        """As if it had signed that; None where no entry of the set is of it."""
        by = (self.key_id, self.certified)
        listed = (k for each in self.policy.attestors.values() for k in each.entries(*by))
        entry = next(listed, None)
        return None if entry is None else entry.said(statement, self.certified, self.signed)

    @property
    def name(self) -> str:
        """For people."""
        if self.is_foreign:
            return f"a token of issuer {self.signer.issuers[0]!r}"
        said = self.signer.certified
        return "this key" if said is None else f"{said.subject!r} of issuer {said.issuer!r}"

    def wanted(self, attestors: Iterable[str]) -> str:
        """What an identity would have to be, as the end of a sentence; nothing to say of a key."""
        if not self.signer.issuers:
            return ""
        signed, by = self.signed, (self.key_id, self.certified)
        if signed is not None and any(
            self.policy.attestors[name].entries(*by) for name in attestors
        ):
            life = f"{format_time(signed.earliest)} to {format_time(signed.latest)}"
            return (
                f": its entry is revoked, of another cluster, or not valid all the time from {life}"
            )
        entries = [entry for name in attestors for entry in self.policy.attestors[name].keys]
        known = (
            entry.public.id if isinstance(entry.public, Identity) else f"the key of {entry.owner}"
            for entry in entries
        )
        return f"; wanted: {' | '.join(dict.fromkeys(known)) or 'nobody'}"

    def refusal(self, bundle: bytes, digest: Digest, allows: Callable[[Attestation], bool]) -> str:
        """Why the set would not count the finished bundle, "" where it would and `allows` its signer."""
        found = self.policy.keys.verify(Candidate(bundle, "the bundle just signed"), digest)
        if isinstance(found, Rejection):
            return found.message
        return "" if allows(found) else f"{self.name} may not sign that"
