"""Rendered objects made into a release: the same objects give the same bytes, wherever and by whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.manifest import ObjectId
from stagepass.objects import Object
from stagepass.predicates.release import Named, ReleaseStatement
from stagepass.release.content import canonical_object, images_of, resource_name, text_of
from stagepass.release.model import MAX_BYTES, MAX_OBJECTS, Release
from stagepass.release.refused import problems
from stagepass.release.salted import salted_secret
from stagepass.statement import Subject

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_MAX_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Commit:
    """Where it was rendered from: a Git URI, the commit, and its tree where that is known (hex)."""

    uri: str
    commit: str
    tree: str = ""

    @classmethod
    def parse(cls, text: str) -> Commit:
        """From `URI@COMMIT`, the commit in full. Raises `InputError`."""
        uri, _, commit = text.rpartition("@")
        if not uri or not _COMMIT.fullmatch(commit):
            hint = "write URI@COMMIT with all digits, as `git rev-parse HEAD` prints them"
            raise InputError(f"{text!r} names no commit", hint=hint)
        return cls(uri, commit)

    @property
    def subject(self) -> Subject:
        """As a statement names it."""
        tree = {"gitTree": self.tree} if self.tree else {}
        return Subject(self.uri, {"gitCommit": self.commit, **tree})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a release is of. `salted`: Secrets may be part of it, by salted digests of their values."""

    pipeline: str
    stage: str
    path: str
    source: Commit
    salted: bool = False
    renderer: Mapping[str, Any] | None = None


def build(objects: Iterable[tuple[str, Object]], terms: Terms) -> Release:
    """
    The release of these (where it stands, object), in whatever order.

    Raises `InputError` that names every object which cannot be part of one.
    """
    found, wrong = _prepared(objects, terms)
    if wrong:
        more = f"; and {len(wrong) - _MAX_SHOWN} more" if len(wrong) > _MAX_SHOWN else ""
        raise InputError("; ".join(wrong[:_MAX_SHOWN]) + more)
    if not found:
        raise InputError("no objects", hint="a release of nothing would admit nothing")
    ordered = sorted(found)
    data = b"[" + b",".join(found[name].text for name in ordered) + b"]"
    if len(data) > MAX_BYTES:
        raise InputError(f"{len(data)} bytes of objects; a release has at most {MAX_BYTES}")
    statement = ReleaseStatement(
        pipeline=terms.pipeline,
        stage=terms.stage,
        path=terms.path,
        resources=tuple(Named(name, Digest.of(found[name].text)) for name in ordered),
        images=tuple(sorted({image for name in ordered for image in found[name].images})),
        objects=Digest.of(data),
        size=len(data),
        renderer=terms.renderer,
    )
    documents = [found[name].document for name in ordered]
    return Release(statement, {ObjectId.of(each): each for each in documents}, data)


@dataclass(frozen=True, slots=True)
class _Content:
    document: Object
    text: bytes
    images: list[Named]


def _prepared(
    objects: Iterable[tuple[str, Object]], terms: Terms
) -> tuple[dict[str, _Content], list[str]]:
    """Contents by resource name, and what is wrong."""
    contents: dict[str, _Content] = {}
    seen: dict[ObjectId, str] = {}
    wrong: list[str] = []
    for where, source in objects:
        try:
            found = ObjectId.of(source)
        except InputError as error:
            wrong.append(f"{where}: {error}")
            continue
        try:
            reasons = [f"stands in {seen[found]} already"] if found in seen else []
            content = _content(source, found, terms, reasons)
            contents[resource_name(content.document)] = content
        except InputError as error:
            reasons.append(str(error))
        seen[found] = where
        shown = "/".join(filter(None, (found.kind, found.namespace, found.name)))
        wrong += [f"{where}: {shown} {reason}" for reason in reasons]
        if len(seen) > MAX_OBJECTS:
            raise InputError(f"over {MAX_OBJECTS} objects", where=where)
    return contents, wrong


def _content(source: Object, found: ObjectId, terms: Terms, reasons: list[str]) -> _Content:
    """One object as it will stand there; what keeps it out goes to `reasons`. Raises `InputError`."""
    document = canonical_object(source)
    reasons += problems(found, document, salted=terms.salted)
    if not reasons and (found.group, found.kind) == ("", "Secret"):
        where = terms.source
        document = salted_secret(document, where.uri, where.commit, resource_name(document))
    return _Content(document, text_of(document), images_of(document))
