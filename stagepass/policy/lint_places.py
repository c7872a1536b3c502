"""Lint: two owners by name, and one workflow or repository behind both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product

from stagepass.identity import Glob, Identity, Kind
from stagepass.policy.attestors import Key
from stagepass.policy.lint_finding import Finding, of_stages
from stagepass.policy.lint_identities import GITHUB
from stagepass.policy.model import Pipeline, PolicySet

_REPOSITORY = 5  # parts of https://github.com/ORGANISATION/REPOSITORY between slashes
_WORKFLOWS = "/.github/workflows/"  # an Enterprise instance has an issuer of its own, and this


def shared_places(policy: PolicySet, pipeline: Pipeline) -> Iterator[Finding]:
    """
    `separation-of-duties`: the identities that sign passes of two stages, or passes and approvals, are
    not of one workflow (of GitHub, one repository): who may push to it is both owners.
    """
    for first, second in combinations(pipeline.stages, 2):
        found = _shared(policy, first.signed_by, second.signed_by)
        if found and not (first.allow_shared or second.allow_shared):
            yield Finding(
                of_stages(pipeline, first, second),
                "separation-of-duties",
                f"{found} both sign passes, the one of {first.name!r}, the other of {second.name!r};"
                " give each a repository or an environment of its own, or say why not with allowShared:"
                " REASON",
            )
    for approved, passed in product(pipeline.stages, repeat=2):
        approvers = [name for need in approved.approvals for name in need.signers]
        found = _shared(policy, approvers, passed.signed_by)
        if found and not (approved.allow_shared or passed.allow_shared):
            yield Finding(
                of_stages(pipeline, approved, passed),
                "separation-of-duties",
                f"{found} both sign, the one approvals for {approved.name!r}, the other passes of"
                f" {passed.name!r}; leave each to other people, or say why not with allowShared: REASON",
            )


def _shared(policy: PolicySet, first: Iterable[str], second: Iterable[str]) -> str:
    """`'a' and 'b', of https://github.com/acme/shop`: the first such pair, "" where there is none."""
    pairs = (
        f"{a.owner!r} and {b.owner!r}, of {_place(mine)[0]},"
        for a, b in product(_identities(policy, first), _identities(policy, second))
        if a.owner != b.owner
        and isinstance(mine := a.public, Identity)
        and isinstance(its := b.public, Identity)
        and _is_one_place(mine, its)
    )
    return next(pairs, "")


def _identities(policy: PolicySet, attestors: Iterable[str]) -> list[Key]:
    found = (key for name in attestors for key in policy.attestors[name].keys)
    return [key for key in found if isinstance(key.public, Identity)]


def _is_one_place(one: Identity, other: Identity) -> bool:
    """An environment of GitHub or GitLab has its own rules of who may use it."""
    if len({one.kind, other.kind} - {None}) > 1:
        return False
    mine_at, its_at = (Glob("".join(_place(identity))) for identity in (one, other))
    if one.issuer != other.issuer or not mine_at.overlaps(its_at):
        return False
    mine, its = one.claims.get("environment"), other.claims.get("environment")
    return mine is None or its is None or mine.overlaps(its)


def _place(identity: Identity) -> tuple[str, str]:
    """
    Whoever may write there decides what signs: a repository, a workflow; a person is only themselves.

    With it what may follow: a ref, and of a repository its files. Two are one where the patterns overlap.
    """
    text = identity.subject.text
    if identity.kind not in (Kind.URI, None):
        return text, ""
    # The first: a tag may have another, as in package@1.0.
    path, at, _ = text.partition("@")
    if identity.issuer == GITHUB or _WORKFLOWS in text:
        # All before `**` is known; whatever follows may stand in other parts than it seems to.
        known, crosses, _ = "/".join(path.split("/")[:_REPOSITORY]).partition("**")
        return (f"{known}**", "") if crosses else (known, "/**")
    return (path, "@**") if at else (text, "")
