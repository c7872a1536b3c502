"""What changed about `stages[].release`: whose releases a stage's objects must equal, and how far."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stagepass.policy.diff_rules import (
    Both,
    Change,
    Demand,
    Effect,
    Items,
    Other,
    Rule,
    Scale,
    Signers,
    Table,
    walk,
)
from stagepass.policy.pointers import pointer_text
from stagepass.policy.releases import (
    AllowedContainer,
    AllowedField,
    Kind,
    ManifestMode,
    ReleaseRule,
    kind_text,
)

_ORDER = tuple(ManifestMode)


def manifests(both: Both, where: str, old: ManifestMode, new: ManifestMode) -> Iterator[Change]:
    """Of one stage. `warn` refuses nothing; what it tells is no promise either way."""
    rule = Scale("manifests", Effect.STRICTER, lambda rank: str(_ORDER[rank]))
    if ManifestMode.REQUIRED in (old, new):
        yield from rule(both, where, _ORDER.index(old), _ORDER.index(new))
    else:
        yield from Other("manifests")(both, where, str(old), str(new))


def releases(
    both: Both, where: str, old: ReleaseRule | None, new: ReleaseRule | None
) -> Iterator[Change]:
    """Of one stage. Without manifests required a release refuses nothing, so the mode says the rest."""
    if old and new:
        yield from walk(RELEASE, both, f"{where}, release", old, new)
    else:
        yield from Demand("release", lambda rule: f"by {' or '.join(rule.signers)}")(
            both, where, old, new
        )


def _kinds(values: Collection[Kind]) -> str:
    return ", ".join(sorted(map(kind_text, values)))


def _field(value: AllowedField) -> str:
    return f"{pointer_text(value.pointer)} of {_kinds(value.kinds)}"


def _container(value: AllowedContainer) -> str:
    return str(value.image)


def _reasons(rule: Rule) -> Rule:
    """`rule`, and where it sees nothing: the stated reasons are others."""

    def changes(
        both: Both,
        where: str,
        old: tuple[AllowedField | AllowedContainer, ...],
        new: tuple[AllowedField | AllowedContainer, ...],
    ) -> Iterator[Change]:
        found = list(rule(both, where, old, new))
        yield from found or Other("allow.reason", _reason)(both, where, old, new)

    return changes


def _reason(values: Collection[AllowedField | AllowedContainer]) -> str:
    return ", ".join(value.reason for value in values)


RELEASE: Table = {
    "signers": Signers("from"),
    "repository": Other("repository"),
    "kinds": Items("kinds", Effect.STRICTER, kind_text),
    "salted": Scale("secrets", Effect.LOOSER, lambda value: "salted" if value else "refused"),
    "fields": _reasons(Items("allow", Effect.LOOSER, _field)),
    "containers": _reasons(Items("allow", Effect.LOOSER, _container)),
}
