"""What a row of the table is: an object that somebody sends, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from tests.manifests.samples import put, steps
from tests.manifests_attacks.objects import Object

Find = Callable[[str, str], Object]
"""An object by kind and name: as it was released, or for an update as it lives."""

REFUSED = "denied: the manifest"
"""MANIFEST_DIFFERS or MANIFEST_UNATTESTED: which of them depends on the releases that are looked at."""
BY_THE_POLICY = "denied: the policy of status"
"""That of `deploy/manifests/status.yaml`, where the gate is not asked."""
ADMITTED = "admitted"
BY_THE_API = "refused by the API server"


class Verb(StrEnum):
    """How it is sent: a new object where there is none, or in place of one that was admitted."""

    CREATE = "create"
    UPDATE = "update"


BOTH = (Verb.CREATE, Verb.UPDATE)


@dataclass(frozen=True, slots=True)
class Attack:
    """
    One row. `base` is the object that is changed, `make` gives what is sent.

    `why` says of a row that ends in `admitted` which written rule lets it in, or what must stop it.
    `at_api` is what comes of it where an API server changes the object before it asks.
    """

    name: str
    make: Callable[[Find], Object]
    base: tuple[str, str] = ("", "")
    verbs: tuple[Verb, ...] = (Verb.CREATE,)
    expected: str = REFUSED
    why: str = ""
    at_api: str = ""

    def is_expected(self, got: str) -> bool:
        """At a real API server, which may refuse by itself: a Pod's spec is immutable, a class unknown."""
        return got in (self.expected, self.at_api) or got.startswith(BY_THE_API)


def change(kind: str, name: str, what: str, path: str, value: Any, **more: Any) -> Attack:
    """One value of a released object, at a field path of `samples.put`."""
    return Attack(
        f"{kind} {name}: {what}",
        lambda find: put(_with_parents(find(kind, name), path), path, value),
        (kind, name),
        **{"verbs": BOTH, **more},
    )


def _with_parents(document: Object, path: str) -> Object:
    """With the maps, and for `[+]` the list, that the last step of `path` needs."""
    here: Any = document
    for step, after in pairwise(steps(path)):
        if isinstance(here, dict):
            here.setdefault(step, [] if after == "+" else {})
        here = here[step]
    return document


def altered(
    kind: str, name: str, what: str, alter: Callable[[Object], None], **more: Any
) -> Attack:
    """A released object that `alter` changes in place."""

    def make(find: Find) -> Object:
        found = find(kind, name)
        alter(found)
        return found

    return Attack(f"{kind} {name}: {what}", make, (kind, name), **{"verbs": BOTH, **more})


def forged(what: str, make: Callable[[Find], Object], **more: Any) -> Attack:
    """A new object that somebody made up."""
    return Attack(what, make, **more)
