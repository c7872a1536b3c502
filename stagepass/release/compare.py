"""What differs between two releases, for people: objects that came, went and changed, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stagepass.manifests.difference import ABSENT
from stagepass.manifests.secrets import is_salted
from stagepass.objects import Object, members
from stagepass.predicates.release import Named
from stagepass.release.content import resource_name
from stagepass.release.model import Release


@dataclass(frozen=True, slots=True)
class Change:
    """One field: its path, and what stands there in the old and in the new release."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """From one release to another. Objects by resource name; `changed` has those in both."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: dict[str, list[Change]]
    images_added: tuple[Named, ...]
    images_removed: tuple[Named, ...]

    @property
    def is_empty(self) -> bool:
        """Whether they hold the same objects, and so the same images."""
        return not (self.added or self.removed or self.changed)


def compare(old: Release, new: Release) -> Comparison:
    """Everything that differs. Names and digests say which objects are worth a look."""
    before = {resource_name(each): each for each in old.objects.values()}
    after = {resource_name(each): each for each in new.objects.values()}
    texts = {each.name: each.digest for each in old.statement.resources}
    changed = {
        each.name: list(differences(before[each.name], after[each.name]))
        for each in new.statement.resources
        if each.name in texts and texts[each.name] != each.digest
    }
    here, there = set(old.statement.images), set(new.statement.images)
    return Comparison(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=changed,
        images_added=tuple(sorted(there - here)),
        images_removed=tuple(sorted(here - there)),
    )


def differences(old: Object, new: Object) -> Iterator[Change]:
    """The fields of one object that differ, in document order; items of lists go by their name."""
    yield from _between(old, new, "")


def _between(old: Any, new: Any, path: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict) and not (is_salted(old) or is_salted(new)):
        for key in dict.fromkeys((*old, *new)):
            below = f"{path}.{key}" if path else key
            yield from _between(old.get(key, ABSENT), new.get(key, ABSENT), below)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(old, new, path)
    elif old != new or type(old) is not type(new):
        yield Change(path, old, new)


def _lists(old: list[Any], new: list[Any], path: str) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    if before is None or after is None:
        for index in range(max(len(old), len(new))):
            left, right = (items[index] if index < len(items) else ABSENT for items in (old, new))
            yield from _between(left, right, f"{path}[{index}]")
        return
    for name in dict.fromkeys((*before, *after)):
        below = f"{path}[name={name}]"
        yield from _between(before.get(name, ABSENT), after.get(name, ABSENT), below)
    kept = [name for name in before if name in after]
    moved = [name for name in after if name in before]
    # Init containers run in the order in which they stand.
    if kept != moved:
        yield Change(f"{path}[]", kept, moved)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Items by their `name`, None where some have none or two share one."""
    named = [(name, item) for item in items if isinstance(name := members(item).get("name"), str)]
    found = dict(named)
    return found if len(found) == len(items) else None
