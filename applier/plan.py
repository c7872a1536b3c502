"""What an apply would do, decided before anything is done. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from applier.compare import differs
from applier.failure import Failure, Reason
from applier.inventory import Entry, Inventory
from applier.rules import CRD, FIELD_MANAGER, LABEL, Object, Rules, entries, identity, members
from stagepass.manifest import ObjectId

__all__ = ["NO_FIELDS", "PROTECTED", "Fields", "Plan", "Rules", "plan"]

Fields = Mapping[ObjectId, tuple[str, ...]]
"""Paths of fields by object; never a value, which may be a Secret's. () where the object is gone."""

NO_FIELDS: Fields = MappingProxyType({})

PROTECTED = frozenset(
    {
        ("", "Namespace"),
        CRD,
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("apps", "StatefulSet"),
    }
)
"""Kinds whose deletion takes data or other objects along."""

# Kustomize names a generated ConfigMap or Secret by its content: `NAME-` and ten of these letters.
_GENERATED = re.compile(r"(.+)-[bcdfghkmt2456789]{10}", re.ASCII)
_GENERATED_KINDS = {("", "ConfigMap"), ("", "Secret")}


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Each in the order of identities.

    `fields` says of each update which paths differ. `prune` are to be deleted by their UID.
    `going` are being deleted already: nothing to do but wait, and they stay in the inventory.
    `forgotten` leave the inventory without a delete: gone, or no longer the object we made.
    """

    create: tuple[Object, ...] = ()
    update: tuple[Object, ...] = ()
    unchanged: tuple[ObjectId, ...] = ()
    prune: tuple[Entry, ...] = ()
    going: tuple[Entry, ...] = ()
    forgotten: tuple[Entry, ...] = ()
    fields: Fields | None = None

    @property
    def writes(self) -> int:
        """How many requests that write it takes; 0 is a pass that only reads."""
        return len(self.create) + len(self.update) + len(self.prune)

    @property
    def unwanted(self) -> frozenset[ObjectId]:
        """All that is owned and not desired, whether it is there still: the same at every retry."""
        return frozenset(entry.id for entry in (*self.prune, *self.going, *self.forgotten))


def plan(
    desired: Sequence[Object], live: Mapping[ObjectId, Object], owned: Inventory, rules: Rules
) -> Plan:
    """
    The plan that makes `live` what `desired` says.

    `desired` as `objects.prepare` made them. `live` holds every object of the cluster that is
    desired or owned; what it lacks does not exist. Raises `Failure`: OWNED_BY_ANOTHER, and without
    `rules.prune_approved` also EMPTY_RENDER, PROTECTED_PRUNE and MASS_PRUNE.
    """
    wanted = _by_id(desired)
    if not wanted and owned.entries and not rules.prune_approved:
        message = f"nothing was rendered, and {len(owned)} objects are managed"
        raise Failure(Reason.EMPTY_RENDER, message, objects=_names(e.id for e in owned))
    _refuse_owned_by_others(wanted, live, owned, rules)
    prune, going, forgotten = _superfluous(wanted, live, owned, rules)
    if not rules.prune_approved:
        remaining = len(owned) - len(going) - len(forgotten)
        _refuse_prune(prune, wanted, remaining, rules.max_prune)
    fields = {
        found: paths
        for found, document in wanted.items()
        if found in live and (paths := differs(document, live[found], FIELD_MANAGER))
    }
    return Plan(
        create=tuple(document for found, document in wanted.items() if found not in live),
        update=tuple(wanted[found] for found in fields),
        unchanged=tuple(found for found in wanted if found in live and found not in fields),
        prune=prune,
        going=going,
        forgotten=forgotten,
        fields=fields,
    )


def _by_id(desired: Sequence[Object]) -> dict[ObjectId, Object]:
    found = sorted(((ObjectId.of(each), each) for each in desired), key=lambda pair: pair[0])
    wanted = dict(found)
    if len(wanted) != len(found):
        raise Failure(Reason.OBJECT_REFUSED, "an object is brought twice")
    return wanted


def _refuse_owned_by_others(
    wanted: Mapping[ObjectId, Object],
    live: Mapping[ObjectId, Object],
    owned: Inventory,
    rules: Rules,
) -> None:
    uids = {entry.id: entry.uid for entry in owned}
    others: dict[ObjectId, str] = {}
    for found in wanted:
        if found in live and found not in rules.takeover:
            owner = _other_owner(live[found], uids.get(found), rules.application)
            if owner is not None:
                others[found] = owner
    if others:
        first, owner = next(iter(others.items()))
        message = f"{identity(first)} is {owner}; only an explicit takeover takes it"
        raise Failure(Reason.OWNED_BY_ANOTHER, message, objects=_names(others))


def _other_owner(live: Object, uid: str | None, application: str) -> str | None:
    """
    Whose it is, as words, or None if it is ours: by the UID we made it with, else by its label.

    The label is a word that whoever may change the object writes over.
    """
    metadata = members(live.get("metadata"))
    label = members(metadata.get("labels")).get(LABEL)
    if uid is None or uid != metadata.get("uid"):
        if label is None:
            return "there already, and was not made by us"
        if label != application:
            return f"owned by the application {label!r}"
    for owner in entries(metadata.get("ownerReferences")):
        if owner.get("controller") is True:
            return f"owned by the {owner.get('kind')} {owner.get('name')!r}"
    return None


def _superfluous(
    wanted: Mapping[ObjectId, Object],
    live: Mapping[ObjectId, Object],
    owned: Inventory,
    rules: Rules,
) -> tuple[tuple[Entry, ...], tuple[Entry, ...], tuple[Entry, ...]]:
    """Owned entries that nobody wants any more: to prune, going already, to forget."""
    prune: list[Entry] = []
    going: list[Entry] = []
    forgotten: list[Entry] = []
    for entry in owned:
        if entry.id in wanted:
            continue
        uid = _deletable(entry, live.get(entry.id), rules.application)
        if uid is None:
            forgotten.append(entry)
        elif members(live[entry.id].get("metadata")).get("deletionTimestamp") is not None:
            going.append(entry)
        else:
            prune.append(Entry(entry.id, entry.version, uid))
    return tuple(prune), tuple(going), tuple(forgotten)


def _deletable(entry: Entry, live: Object | None, application: str) -> str | None:
    """
    The UID under which the object is the one we made, else None.

    A planned entry without a UID is one whose apply was not seen to end: ours if it has our label.
    A label alone proves nothing: operators copy labels (fluxcd/kustomize-controller 410).
    """
    if live is None:
        return None
    metadata = members(live.get("metadata"))
    uid, label = metadata.get("uid"), members(metadata.get("labels")).get(LABEL)
    if not isinstance(uid, str) or not uid:
        return None
    if entry.uid is None:
        return uid if label == application else None
    return uid if uid == entry.uid and label in (None, application) else None


def _refuse_prune(
    prune: Sequence[Entry], wanted: Iterable[ObjectId], remaining: int, limit: float
) -> None:
    protected = [entry.id for entry in prune if (entry.id.group, entry.id.kind) in PROTECTED]
    if protected:
        message = f"{identity(protected[0])} would be deleted, which needs a signed approval"
        raise Failure(Reason.PROTECTED_PRUNE, message, objects=_names(protected))
    bases = {base for found in wanted if (base := _generated(found))}
    lost = [entry.id for entry in prune if _generated(entry.id) not in bases]
    if len(lost) > max(1, limit * remaining):  # one object is no mass
        message = (
            f"{len(lost)} of {remaining} objects would be deleted, more than {limit:.0%}; "
            "that needs a signed approval"
        )
        raise Failure(Reason.MASS_PRUNE, message, objects=_names(lost))


def _generated(found: ObjectId) -> tuple[str, str, str] | None:
    """What a generated object is a version of, or None. Its next version replaces it: no loss."""
    match = _GENERATED.fullmatch(found.name)
    if match is None or (found.group, found.kind) not in _GENERATED_KINDS:
        return None
    return found.kind, found.namespace, match[1]


def _names(found: Iterable[ObjectId]) -> list[str]:
    return [identity(each) for each in found]
