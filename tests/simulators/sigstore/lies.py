"""What the miniature can be told to do wrong, one field per lie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["HONEST", "Lies"]


@dataclass(frozen=True, slots=True)
class Lies:
    """
    Nothing, until told. All lies but the one told leave the rest of a bundle honest.

    Times are offsets from the moment of signing; a leaf lives from that moment for ten minutes.
    """

    foreign_authority: bool = False
    """The leaf is by another CA of the same names, which no root knows."""
    no_sct: bool = False
    two_scts: bool = False
    foreign_sct: bool = False
    """By a certificate transparency log that no root knows."""
    no_subject: bool = False
    two_subjects: bool = False
    """A second name of the same kind beside the first."""
    other_issuer: str = ""
    """What extension .1 (the old issuer) says while .8 (the new one) says the truth."""
    no_code_signing: bool = False
    late_leaf: timedelta = timedelta()
    """The leaf's life begins this long after the signing."""

    logged_after: timedelta = timedelta()
    """When the log says it took the entry."""
    foreign_log: bool = False
    """The entry is in a log that no root knows, under that log's own id."""
    stolen_log_id: bool = False
    """The entry is in a log that no root knows, under the id of the known one."""
    foreign_entry: bool = False
    """A true entry, but of another payload by the same key."""
    foreign_certificate: bool = False
    """A true entry of this very signature, but under another certificate."""
    wrong_proof: bool = False
    wrong_root: bool = False
    """The inclusion proof leads to a root that the checkpoint does not sign."""
    unsigned_checkpoint: bool = False
    """Signed by another key than the log's."""
    no_checkpoint: bool = False
    no_promise: bool = False
    forged_promise: bool = False
    """The signed entry timestamp (SET) is by another key than the log's."""
    moved_time: timedelta = timedelta()
    """The entry's time is moved after the log signed its promise."""

    no_tsa: bool = False
    """The stamp that was asked for does not come, and nobody says so."""
    foreign_tsa: bool = False
    stamped_after: timedelta = timedelta()
    foreign_stamp: bool = False
    """A true stamp, but of other bytes."""

    foreign_signature: bool = False
    """The envelope's signature is over another payload by the same key."""


HONEST = Lies()
