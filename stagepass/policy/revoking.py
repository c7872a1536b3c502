"""What an entry of the revocation list would miss, told before it is signed: a miss is silent for ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stagepass.attestor import PublicKey
from stagepass.identity import Glob, Identity
from stagepass.policy.model import PolicySet
from stagepass.policy.revocations import folded
from stagepass.predicates.revocation import Entry

_WORKFLOW = Glob("https://*/*/*/**@**")


def misses(policy: PolicySet, entries: Iterable[Entry]) -> Iterator[str]:
    """In words: what revokes no key or identity of the set, and what a pattern of the set still lets in."""
    keys = list(dict.fromkeys((key.public, key.owner) for _, key in policy.all_keys()))
    ids = {public.id for public, _ in keys if isinstance(public, PublicKey)}
    identities = [(public, owner) for public, owner in keys if isinstance(public, Identity)]
    for entry in entries:
        if entry.kind == "key" and entry.value not in ids:
            yield f"no key of the set has the id {entry.value}: by this entry nothing dies"
        elif entry.kind == "identity":
            yield from _missed(entry, identities)


def everybody(entries: Iterable[Entry]) -> Iterator[str]:
    """In words: what is so wide that it can hardly be meant."""
    for entry in entries:
        if entry.kind == "identity" and not any(c.isalnum() for c in entry.value):
            of = f"issuer {entry.issuer!r}" if entry.issuer else "any issuer"
            yield (f"{entry.value!r} is everybody of {of}: all that certificates ever signed dies")


def misnamed(entries: Iterable[Entry]) -> Iterator[str]:
    """In words: what no certificate is called, as far as its shape tells without a policy."""
    for entry in entries:
        value, _ = folded(entry.value, entry.issuer)
        is_workflow = value.startswith("https://github.com/") or "/.github/workflows/" in value
        if entry.kind == "identity" and is_workflow and not _WORKFLOW.overlaps(Glob(value)):
            yield (
                f"{entry.value!r}: no workflow of GitHub is called so: by this entry nothing dies; write"
                " https://github.com/ORGANISATION/REPOSITORY/.github/workflows/FILE@REF, or a pattern of it"
            )


def _missed(entry: Entry, identities: Iterable[tuple[Identity, str]]) -> Iterator[str]:
    value, issuer = folded(entry.value, entry.issuer)
    revoked, is_met = Glob(value), False
    for identity, owner in identities:
        subject, its = folded(identity.subject.text, identity.issuer)
        if issuer not in ("", its) or not revoked.overlaps(Glob(subject)):
            continue
        is_met = True
        if not revoked.covers(Glob(subject)):
            yield (
                f"{entry.value!r} is not all that {identity.subject.text!r} of {owner!r} takes: whoever"
                " else matches that counts on; revoke the pattern as well, or take it out of the policy"
            )
    if not is_met:
        by = f" by issuer {entry.issuer!r}" if entry.issuer else ""
        yield f"no identity of the set could be {entry.value!r}{by}: by this entry nothing dies"
