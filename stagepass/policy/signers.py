"""Whether somebody may sign for a stage, and with what; and why whoever signed does not count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from stagepass.clock import SKEW, format_time
from stagepass.evidence import Attestation
from stagepass.identity import Certified, Span
from stagepass.policy.attestors import Key
from stagepass.policy.model import PolicySet, Stage


def may_sign(
    policy: PolicySet,
    stage: Stage,
    cluster: str,
    key_id: str,
    now: datetime,
    certified: Certified | None = None,
    signed: Span | None = None,
) -> bool:
    """
    Whether a pass or receipt of `stage` in `cluster`, signed at `now` by that key, would count.

    Of what is `signed` already, or will be by a certificate of that life, whether it does.
    """
    found = _valid(policy, stage.signed_by, key_id, now, certified, signed)
    return any(key.counts_in(cluster) for key in found)


def is_signer(
    policy: PolicySet,
    attestors: Sequence[str],
    key_id: str,
    now: datetime,
    certified: Certified | None = None,
    signed: Span | None = None,
) -> bool:
    """
    Whether what that key signs at `now` counts as signed by one of these attestors.

    Of what is `signed` already, or will be by a certificate of that life, whether it does.
    """
    return bool(_valid(policy, attestors, key_id, now, certified, signed))


def entries_of(policy: PolicySet, attestors: Iterable[str], by: Attestation) -> list[Key]:
    """What these attestors list of whoever signed it, valid or not."""
    found = (policy.attestors[name].entries(by.key_id, by.certified) for name in attestors)
    return [key for entries in found for key in entries]


def disqualified(
    policy: PolicySet, attestors: Sequence[str], by: Attestation, cluster: str | None = None
) -> str:
    """
    Why whoever signed it, and does not count, does not: in words that follow the signer's name.

    Neither as one of these attestors nor, where that matters, for `cluster`.
    """
    word = "a key" if by.certified is None else "an identity"
    entries = entries_of(policy, attestors, by)
    if not entries:
        is_listed = by.owner in policy.owners(attestors)
        return f"with {word} that may not" if is_listed else "who may not"
    here = [key for key in entries if cluster is None or key.counts_in(cluster)]
    if not here:
        return f"with {word} that is not for {cluster!r}"
    signed = by.signed
    if signed is None:
        return f"with {word} that is not valid now"
    had_begun = any(k.valid_from is None or k.valid_from <= signed.earliest for k in here)
    at = format_time(signed.latest if had_begun else signed.earliest)
    return f"with {word} that was not valid at {at}, when it signed"


def signing_option(entries: Iterable[Key], now: datetime) -> str:
    """The option of a command by which one of these signs at `now`: an identity has no key to name."""
    found = list(entries)
    could = [key for key in found if key.valid_at(now, now)] or found
    return "--identity" if {key.word for key in could} == {"identity"} else "--key KEY"


def _valid(
    policy: PolicySet,
    attestors: Sequence[str],
    key_id: str,
    now: datetime,
    certified: Certified | None,
    signed: Span | None = None,
) -> list[Key]:
    revoked = policy.revocations.of(key_id, certified) if policy.revocations else ()
    if any(each.kills(signed) for each in revoked):
        return []
    if signed is not None and signed.earliest > now + SKEW:
        return []
    window = (signed.earliest, signed.latest) if signed else (now, now)
    found = (k for name in attestors for k in policy.attestors[name].entries(key_id, certified))
    return [key for key in found if key.valid_at(*window)]
