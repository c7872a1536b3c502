"""A release, whole: what its statement says, and the objects, every digest of them checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stagepass import strictjson
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import AttestationError, InputError
from stagepass.manifest import ObjectId
from stagepass.objects import Object
from stagepass.predicates.release import Named, ReleaseStatement
from stagepass.release import artifact
from stagepass.release.content import images_of, resource_name, text_of
from stagepass.release.salted import plain_keys
from stagepass.statement import Statement, Subject

MAX_OBJECTS = 5_000
MAX_BYTES = 32 << 20
"""Of `objects.json`, and so of what is rendered."""
_MAX_DEPTH = 80  # 64 levels of YAML, and the list around them

RELEASE_FILE = "release.json"


@dataclass(frozen=True)
class Release:
    """`objects` by exact identity, in the order of the statement's resources; `data` is their text."""

    statement: ReleaseStatement
    objects: Mapping[ObjectId, Object]
    data: bytes

    @classmethod
    def load(cls, statement: Statement, data: bytes) -> Release:
        """
        From a verified statement and `objects.json`.

        Raises `AttestationError` with `STATEMENT_INVALID`: any digest that differs, an object under
        another name, images that are not those of the objects, a Secret that shows a value.
        """
        return cls.of(contents(statement), data)

    @classmethod
    def of(cls, statement: ReleaseStatement, data: bytes) -> Release:
        """As `load`, where the subjects are known to fit."""
        if len(data) != statement.size or Digest.of(data) != statement.objects:
            raise _invalid(f"{statement.objects} of {statement.size} bytes is not what is there")
        try:
            documents = _documents(data, len(statement.resources))
            texts = _checked(documents, statement.resources)
            images = all_images(documents)
            objects = {ObjectId.of(document): document for document in documents}
        except InputError as error:
            raise _invalid(error.message) from error
        if b"[" + b",".join(texts) + b"]" != data:
            raise _invalid("the objects are not in their canonical spelling (RFC 8785)")
        if len(objects) != len(documents):
            raise _invalid("an object stands there in two versions")
        if images != statement.images:
            raise _invalid("images are not those of the objects")
        return cls(statement, objects, data)

    @property
    def pipeline(self) -> str:
        """Whose release it is."""
        return self.statement.pipeline

    @property
    def stage(self) -> str:
        """For which stage it was rendered."""
        return self.statement.stage

    @cached_property
    def digest(self) -> Digest:
        """The release digest: of `release.json`."""
        return self.statement.digest

    @cached_property
    def image_set(self) -> Digest:
        """Of the images: the same for the releases of all stages that run the same."""
        return self.statement.image_set

    @cached_property
    def artifact_digest(self) -> Digest:
        """Of the OCI manifest that holds it."""
        return Digest.of(artifact.artifact(self.statement))


def subjects(statement: ReleaseStatement) -> dict[str, Digest]:
    """What a statement has to be about: the list, the artifact, the line. By the word for it."""
    return {
        "release": statement.digest,
        "artifact": Digest.of(artifact.artifact(statement)),
        "line": artifact.line_digest(statement.pipeline, statement.stage),
    }


def contents(statement: Statement) -> ReleaseStatement:
    """
    What a verified statement says, and is about: a signature over one subject moves to no other.

    Raises `AttestationError` with `STATEMENT_INVALID`.
    """
    found = ReleaseStatement.parse(statement.predicate)
    if not found.size <= MAX_BYTES or len(found.resources) > MAX_OBJECTS:
        raise _invalid(f"over {MAX_OBJECTS} objects, or {MAX_BYTES} bytes of them")
    try:
        wanted = subjects(found)
    except InputError as error:  # half of a surrogate pair in a name
        raise _invalid(error.message) from error
    for name, digest in wanted.items():
        if digest not in statement.digests:
            raise _invalid(f"the {name} it describes is {digest}, which is no subject of it")
    return found


def other_subjects(
    statement: ReleaseStatement, repository: str, source: Subject | None
) -> list[Subject]:
    """What follows `release.json` in a statement: the artifact in `repository`, the line, the commit."""
    about = subjects(statement)
    line = f"{statement.pipeline}/{statement.stage}"
    named = [Subject.of(repository, about["artifact"]), Subject.of(line, about["line"])]
    return named if source is None else [*named, source]


def all_images(documents: Iterable[Object]) -> tuple[Named, ...]:
    """The image set of objects. Raises `InputError`."""
    return tuple(sorted({image for document in documents for image in images_of(document)}))


def _documents(data: bytes, count: int) -> list[dict[str, Any]]:
    found = strictjson.loads(data, max_bytes=MAX_BYTES, max_depth=_MAX_DEPTH)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError("the objects are not a list of objects")
    if len(found) != count:
        raise InputError(f"{len(found)} objects, and {count} resources are named")
    return found


def _checked(documents: Iterable[Object], resources: Iterable[Named]) -> list[bytes]:
    """The canonical text of each, which is what its resource names."""
    texts = []
    for document, resource in zip(documents, resources, strict=True):
        found, text = ObjectId.of(document), text_of(document)
        if resource_name(document) != resource.name:
            raise InputError(f"{resource.name} is another object: {resource_name(document)}")
        if Digest.of(text) != resource.digest:
            raise InputError(f"{resource.name} is not what its digest names")
        if (found.group, found.kind) == ("", "Secret") and plain_keys(document):
            raise InputError(f"{resource.name} shows values of a Secret")
        texts.append(text)
    return texts


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.STATEMENT_INVALID, message)
