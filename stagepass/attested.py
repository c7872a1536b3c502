"""
Which signed release an object is of: what is known of its manifest, found in what its stage lists.

An annotation, an owner or a user proves nothing here: only that every field is as some release says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from shlex import quote

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.manifest import BUILT_IN, ObjectId
from stagepass.manifests.compare import differences
from stagepass.manifests.difference import Difference
from stagepass.manifests.made import Made
from stagepass.manifests.metadata import misnamed
from stagepass.manifests.templates import KINDS as MADE
from stagepass.objects import Object
from stagepass.policy.model import Pipeline, Stage
from stagepass.policy.releases import Attested, ReleaseRule, Unattested
from stagepass.release.book import ReleaseBook
from stagepass.release.listed import Listed
from stagepass.release.shelf import Opened

_MAX_SHOWN = 5
_IDENTITY = "metadata.name"
# What differs is told of the newest releases alone: a line holds fifty, each a blob to read.
_MAX_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Matched:
    """The object equals what a release says. `images` are all of that release."""

    claim: Attested
    images: tuple[ImageRef, ...]


@dataclass(slots=True)
class Search:
    """
    The releases of one stage that an object equals, and after that why there are no more.

    `images` are the texts that the object names, without its ephemeral containers; `created` says
    that the request creates it, `applications` are those whose label it may have. Not thread-safe.
    """

    book: ReleaseBook
    pipeline: Pipeline
    stage: Stage
    rule: ReleaseRule
    document: Object
    images: tuple[str, ...]
    created: bool
    applications: frozenset[str] = frozenset()
    failure: Unavailable | None = None
    _made: Made = field(init=False)
    _compared: dict[Digest, list[Difference]] = field(default_factory=dict)
    _nearest: tuple[Listed, list[Difference]] | None = None
    _others: list[Listed] = field(default_factory=list)
    _invalid: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._made = Made(self.document, self.rule, created=self.created)

    def matches(self, now: datetime, deadline: Deadline) -> Iterator[Matched]:
        """
        Each release that the object equals. What cannot be read ends as `failure`.

        One that cannot be opened hides none of the others.
        """
        try:
            needed = self._needed()
            for listed in self.book.listed(self.pipeline, self.stage, now, deadline):
                deadline.remaining()
                if not self._speaks_of(listed):
                    continue
                if not needed <= listed.images:
                    self._others.append(listed)
                elif self._try(listed, deadline) == []:
                    yield Matched(listed.claim, listed.references)
        except Unavailable as error:
            self.failure = self.failure or error

    def problem(self, deadline: Deadline) -> Unattested:
        """Why no release holds it, told of the nearest. For when `matches` has ended."""
        if self.failure is not None:
            message = f"could not find out: {self.failure.message}"
            return Unattested(Code(self.failure.code), message, _IDENTITY)
        for listed in self._others[:_MAX_NEAREST]:
            try:
                self._compare(listed, deadline)
            except Unavailable:  # a denial is certain already; this would only word it better
                break
        return self._unattested() if self._nearest is None else self._differs(*self._nearest)

    @property
    def about(self) -> ObjectId:
        """Exact identity, by the object's own word: of a generated name the request knows nothing."""
        return ObjectId.of(self.document)

    def _needed(self) -> set[tuple[str, Digest | None]]:
        """The images that a release must hold: no object equals one that runs something else."""
        about = self.about
        if (about.group, about.kind) not in BUILT_IN:
            return (
                set()
            )  # where custom resources hold images is policy, and a release knows no policy
        allowed = {(c.image.name, c.image.digest) for c in self.rule.containers}
        found: set[tuple[str, Digest | None]] = set()
        for text in self.images:
            try:
                image = ImageRef.parse(text)
            except InputError:  # in no release, as in no place
                found.add((text, None))
                continue
            found.add((image.name, image.digest))
        return found - allowed

    def _speaks_of(self, listed: Listed) -> bool:
        """Whether it names the object, or may hold what a controller makes it of."""
        return self.about in listed.resources or self._is_made

    @property
    def _is_made(self) -> bool:
        """Whether controllers make objects of this kind from templates."""
        return (self.about.group, self.about.kind) in MADE

    def _try(self, listed: Listed, deadline: Deadline) -> list[Difference] | None:
        try:
            return self._compare(listed, deadline)
        except Unavailable as error:
            self.failure = self.failure or error
            return None

    def _compare(self, listed: Listed, deadline: Deadline) -> list[Difference] | None:
        """What differs, None where the release says nothing of it, or nothing new. Raises `Unavailable`."""
        key = listed.resources.get(self.about, listed.digest)
        if (known := self._compared.get(key)) is not None:
            return known
        try:
            found = self._differences(self.book.opened(listed, self.stage, deadline))
        except (AttestationError, InputError) as error:
            self._invalid.append(error.message)
            return None
        if found is None:
            return None
        if (wrong := misnamed(self.document, self.applications)) is not None:
            found = [*(d for d in found if d.path != wrong.path), wrong]
        self._compared[key] = found
        if self._nearest is None or len(found) < len(self._nearest[1]):
            self._nearest = listed, found
        return found

    def _differences(self, opened: Opened) -> list[Difference] | None:
        """Of the object that bears its name, or else the nearest of what a template would make."""
        named = opened.release.objects.get(self.about)
        if named is not None:
            return differences(named, self.document, self.rule, created=self.created)
        nearest: list[Difference] | None = None
        for digest, owner in opened.nearest_first(self.images):
            found = self._made.differences(digest, owner)
            if found == []:
                return found
            if found is not None and (nearest is None or len(found) < len(nearest)):
                nearest = found
        return nearest

    def _differs(self, listed: Listed, found: list[Difference]) -> Unattested:
        shown = [f"{d.path}: got {d.got}, attested {d.want}" for d in found[:_MAX_SHOWN]]
        more = [f"and {len(found) - _MAX_SHOWN} more"] if len(found) > _MAX_SHOWN else []
        release = f"release sha256:{listed.digest.hex[:12]} of {self._where}"
        message = f"differs from {release}, signed by {listed.owner}: "
        return Unattested(
            Code.MANIFEST_DIFFERS,
            message + "; ".join([*shown, *more]),
            path=found[0].path,
            fix="apply what was released, or release the change: " + self._command,
        )

    def _unattested(self) -> Unattested:
        name = f"{self.about.kind} {self.about.name!r}"
        signers = " or ".join(sorted(self.rule.signers))
        found = [f"{r.code} {r.message}" for r in self.book.rejections(self.pipeline, self.stage)]
        reasons = [*dict.fromkeys(found), *dict.fromkeys(self._invalid)][:_MAX_SHOWN]
        instead = f"; found instead: {', '.join(reasons)}" if reasons else ""
        message = f"no release of {self._where}, signed by {signers}, holds {name}{instead}"
        return Unattested(Code.MANIFEST_UNATTESTED, message, _IDENTITY, self._command)

    @property
    def _where(self) -> str:
        return f"{self.pipeline.name}/{self.stage.name}"

    @property
    def _command(self) -> str:
        where = f"--pipeline {quote(self.pipeline.name)} --stage {quote(self.stage.name)}"
        return (
            f"stagepass release build - {where} --source URI@COMMIT, then stagepass release attest"
        )
