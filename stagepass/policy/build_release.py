"""`stages[].manifests` and `stages[].release` from what the file says to the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stagepass.manifest import BUILT_IN
from stagepass.policy.pointers import gives_up, pointer_text
from stagepass.policy.releases import (
    DEFAULT_KINDS,
    AllowedContainer,
    AllowedField,
    Kind,
    ManifestMode,
    ReleaseRule,
    kind_text,
)
from stagepass.policy.schema import NOT_WRITTEN, At, Problems

Document = Mapping[str, Any]
_NOTHING = (None, NOT_WRITTEN)


def build_release(raw: Document, problems: Problems) -> ReleaseRule | None:
    """The release rule of the stage `raw`, None where there is none or a problem was reported."""
    rule: Document | None = raw["release"]
    if rule is None:
        if raw["manifests"] not in (None, ManifestMode.OFF):
            at: At = raw["@"].member("manifests")
            problems.add(at, "nothing says whose releases count", "add release: {from: [ATTESTOR]}")
        return None
    kinds = DEFAULT_KINDS if rule["kinds"] is None else _known(rule["kinds"])
    entries = [_Entry(entry, problems) for entry in rule["allow"]]
    return ReleaseRule(
        signers=rule["from"],
        repository=rule["repository"],
        kinds=kinds,
        salted=bool(rule["secrets"]),
        fields=tuple(found for entry in entries for found in entry.fields(kinds)),
        containers=tuple(found for entry in entries for found in entry.containers()),
    )


class _Entry:
    """One entry of `allow`: either a pointer with its kinds, or a container."""

    def __init__(self, raw: Document, problems: Problems) -> None:
        self._raw, self._problems, self._at = raw, problems, raw["@"]
        given = [name for name in ("pointer", "container") if _is_written(raw, name)]
        if len(given) != 1:
            hint = "two entries for two of them" if given else "{kinds: [...], pointer: /...}"
            problems.add(self._at, "wants exactly one of pointer, container", hint)
        elif given == ["pointer"] and not _is_written(raw, "kinds"):
            problems.add(self._at, "the key 'kinds' is missing", "of which kinds is the pointer?")
        elif given == ["container"] and _is_written(raw, "kinds"):
            at = self._at.member("kinds")
            problems.add(at, "a container is of no kind", "leave kinds out")

    def fields(self, scope: frozenset[Kind]) -> Iterator[AllowedField]:
        """What the entry allows of which kinds; a kind out of scope is a problem."""
        pointer, written = self._raw["pointer"], self._raw["kinds"]
        if pointer in _NOTHING or written in _NOTHING:
            return
        for index, kind in enumerate(written):
            if kind is None:
                continue
            if kind not in scope:
                at = self._at.member("kinds").item(index)
                message = f"{kind_text(kind)} is not in scope, so nothing of it is compared"
                self._problems.add(at, message, "add it to the release's kinds, or leave it out")
            if what := gives_up(pointer, BUILT_IN.get(kind)):
                self._problems.add(
                    self._at.member("pointer"),
                    f"{pointer_text(pointer)} of {kind_text(kind)} gives up {what}",
                    "name a member further down",
                )
        yield AllowedField(_known(written), pointer, self._raw["reason"])

    def containers(self) -> Iterator[AllowedContainer]:
        """The container, where the entry is of one."""
        if self._raw["container"] not in _NOTHING:
            yield AllowedContainer(self._raw["container"], self._raw["reason"])


def _known(kinds: Iterable[Kind | None]) -> frozenset[Kind]:
    """Without those that a problem was reported about."""
    return frozenset(kind for kind in kinds if kind is not None)


def _is_written(raw: Document, name: str) -> bool:
    return raw[name] is not NOT_WRITTEN
