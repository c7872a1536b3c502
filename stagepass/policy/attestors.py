"""Who may sign, as values: attestors, and the keys and identities that stand behind each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stagepass.attestor import PublicKey
from stagepass.evidence import Attestation
from stagepass.identity import Certified, Identity, Span
from stagepass.statement import Statement


@dataclass(frozen=True, slots=True)
class Key:
    """
    One signing key of one owner, or one identity.

    `clusters` binds its passes and receipts to those clusters, None leaves it free. The window is the
    key's own (`valid_from` inclusive, `valid_until` exclusive), None open. `roots` are a key's trust
    roots: whose logs and time stamp authorities may prove when it signed, None for any of the set; an
    identity has its own. `allow_wide` says why an identity may be as wide as it is, "" where nobody does.
    """

    public: PublicKey | Identity
    owner: str
    clusters: frozenset[str] | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    roots: frozenset[str] | None = None
    allow_wide: str = ""

    def valid_at(self, now: datetime, entry: datetime) -> bool:
        """Whether its window has begun by `now` and not ended by `entry` (DESIGN, *Entry and stay*)."""
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or entry < self.valid_until
        )

    def said(
        self,
        statement: Statement,
        certified: Certified | None = None,
        signed: Span | None = None,
    ) -> Attestation:
        """
        As if its holder had signed the statement: for cases, and for what is still to be signed.

        `certified` is the holder of an identity, by default some holder.
        """
        if isinstance(self.public, Identity):
            by = certified or self.public.example()
            return Attestation(statement, by.id, self.owner, by, signed)
        return Attestation(statement, self.public.id, self.owner, signed=signed)

    @property
    def word(self) -> str:
        """What it is, for people."""
        return "identity" if isinstance(self.public, Identity) else "key"

    def counts_in(self, cluster: str) -> bool:
        """Whether its statements count for `cluster`."""
        return self.clusters is None or cluster in self.clusters


@dataclass(frozen=True, slots=True)
class Attestor:
    """A named signer: any of its keys and identities may sign, so rotation is an overlap."""

    name: str
    keys: tuple[Key, ...]

    def entries(self, key_id: str, certified: Certified | None = None) -> tuple[Key, ...]:
        """Its entries for whoever signed so: of a certificate its identities alone, else its keys alone."""
        return tuple(
            key
            for key in self.keys
            if (
                certified is not None and key.public.matches(certified)
                if isinstance(key.public, Identity)
                else certified is None and key.public.id == key_id
            )
        )
