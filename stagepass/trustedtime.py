"""When a bundle was signed, as an authority in the policy's trust roots proves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Protocol

from stagepass.attestor import PublicKey
from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError
from stagepass.identity import Span
from stagepass.tlog import log_time
from stagepass.trustroot import Authority, EntryLog, TrustedRoot

_MAX_PROOFS = 32  # of each kind; sigstore-go reads no more either


class _Stamps(Protocol):
    """`stagepass.timestamps.Authorities`, which only a root with such an authority loads."""

    def time(self, stamp: bytes, signature: bytes) -> datetime | None: ...


class TrustedTimes:
    """
    The times that the logs and time stamp authorities of some trust roots prove.

    `roots` maps a name to the text of a Sigstore trusted root. Raises `InputError` at the name of one
    that is none, and `ModuleNotFoundError` where time stamps would count and their client is not there.
    """

    def __init__(self, roots: Mapping[str, bytes]) -> None:
        parsed = {name: _parse(name, data) for name, data in roots.items()}
        self._parsed = {
            name: root for name, root in parsed.items() if root.logs or root.timestamp_authorities
        }
        self._trusted: dict[frozenset[str], tuple[tuple[EntryLog, ...], _Stamps | None]] = {}
        self._trust(self.roots)

    @property
    def roots(self) -> frozenset[str]:
        """Those with a log or an authority: of a log its file does not say whether it proves times."""
        return frozenset(self._parsed)

    def of(
        self, bundle: Bundle, key: PublicKey, roots: frozenset[str] | None = None
    ) -> Span | None:
        """
        The span of all proven times of the signature, which `key` has verified; None where none is.

        What an authority that none of `roots` names says is no time. Raises `AttestationError` with
        `SIGNATURE_INVALID` for what is wrong in the name of one that a root does name.
        """
        _bounded(bundle.log_entries, "log entries")
        _bounded([stamp for stamp in bundle.timestamps if stamp], "time stamps")
        logs, stamps = self._trust(self.roots if roots is None else roots)
        times = [time for time in _times(bundle, key, logs, stamps) if time is not None]
        return Span(min(times), max(times)) if times else None

    def _trust(self, roots: frozenset[str]) -> tuple[tuple[EntryLog, ...], _Stamps | None]:
        """
        What these roots say together: a policy names few such sets, and each is made once.

        Together, since one may say of a log or authority what another, older one does not yet.
        """
        if roots not in self._trusted:
            chosen = [root for name, root in self._parsed.items() if name in roots]
            authorities = [each for root in chosen for each in root.timestamp_authorities]
            logs = tuple(log for root in chosen for log in root.logs)
            self._trusted[roots] = logs, _stamps(authorities) if authorities else None
        return self._trusted[roots]


def _times(
    bundle: Bundle, key: PublicKey, logs: Sequence[EntryLog], stamps: _Stamps | None
) -> Iterator[datetime | None]:
    for entry in bundle.log_entries:
        yield log_time(entry, logs, bundle.envelope, key)
    if stamps is not None:
        for stamp in bundle.timestamps:
            yield stamps.time(stamp, bundle.envelope.signature)


def _bounded(proofs: Sequence[object], what: str) -> None:
    if len(proofs) > _MAX_PROOFS:
        raise _invalid(f"more than {_MAX_PROOFS} {what}")
    if any(proof in proofs[:index] for index, proof in enumerate(proofs)):
        raise _invalid(f"two of its {what} are the same")


def _parse(name: str, data: bytes) -> TrustedRoot:
    try:
        return TrustedRoot.parse(data)
    except InputError as error:
        raise InputError(error.message, where=name, hint=error.hint) from error


def _stamps(authorities: Sequence[Authority]) -> _Stamps:
    found: _Stamps = import_module("stagepass.timestamps").Authorities(authorities)
    return found


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.SIGNATURE_INVALID, message)
