"""
The signed release of what was rendered here: made anew from our own render, and looked for by its digest.

Nothing that somebody else rendered is ever applied. A release is whole: an object of another one, or one
more or less, is another digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any

from applier.application import Application
from applier.failure import Failure, Missing, Reason
from applier.objects import unlabelled
from applier.rules import Object, identity, members
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.manifest import ObjectId
from stagepass.manifests.secrets import is_salted, salted
from stagepass.policy.model import Stage
from stagepass.policy.releases import Attested, ManifestMode, ReleaseRule
from stagepass.predicates.named_release import NamedRelease
from stagepass.release.book import ReleaseBook
from stagepass.release.build import Commit, Terms, build
from stagepass.release.compare import compare
from stagepass.release.content import canonical_object, text_of
from stagepass.release.listed import Listed
from stagepass.release.model import Release

_SECRET = ("", "Secret")
_MAX_SHOWN = 5
_UNKNOWN = "0" * 40


@dataclass(frozen=True, slots=True)
class Released:
    """
    What is known of a version's release: the signed one, or what keeps it from being found.

    Neither where the stage takes no releases. `wanted` is the digest that was looked for.
    """

    signed: Listed | None = None
    problem: Failure | None = None
    wanted: Digest | None = None

    @property
    def named(self) -> NamedRelease | None:
        """As receipts and passes name it."""
        return NamedRelease(self.signed.digest, self.signed.image_set) if self.signed else None

    @property
    def claim(self) -> Attested | None:
        """As every image of it is judged."""
        return self.signed.claim if self.signed else None


def is_required(stage: Stage) -> bool:
    """Whether only what is released may be applied."""
    return stage.manifests is ManifestMode.REQUIRED


def look_up(
    application: Application,
    book: ReleaseBook,
    objects: Sequence[Object],
    commit: str,
    now: datetime,
    deadline: Deadline,
) -> Released:
    """
    The signed release of `objects`, prepared as they are applied; all of a version, rendered at `commit`.

    Never raises: RELEASE_MISSING, RELEASE_REFUSED or UNDETERMINED is the `problem`.
    """
    rule = application.stage.release
    if rule is None:
        return Released()
    found = _Own(application, rule, unlabelled(objects), commit)
    try:
        own = found.release()
    except InputError as error:
        message = f"no release can be made of it: {error}"
        return Released(problem=Failure(Reason.RELEASE_REFUSED, message))
    others: list[Listed] = []
    try:
        for listed in book.listed(application.pipeline, application.stage, now, deadline):
            if listed.digest == own.digest or found.is_salted_as(listed, book, deadline):
                return Released(listed, wanted=listed.digest)
            others.append(listed)
    except Unavailable as error:
        message = f"could not find out whether release {own.digest} is signed: {error.message}"
        return Released(problem=Failure(Reason.UNDETERMINED, message), wanted=own.digest)
    how = book.signing_option(rule, now)
    problem = _missing(application, rule, book, own, others, commit, deadline, how)
    return Released(problem=problem, wanted=own.digest)


@dataclass(frozen=True, slots=True)
class _Own:
    """Our own render of a version."""

    application: Application
    rule: ReleaseRule
    objects: Sequence[Object]
    commit: str

    def release(self) -> Release:
        """Raises `InputError`."""
        source = self.application.source
        terms = Terms(
            pipeline=self.application.pipeline.name,
            stage=self.application.stage.name,
            path=source.path,
            source=Commit(source.git, self.commit or _UNKNOWN),
            salted=self.rule.salted,
        )
        return build(((identity(ObjectId.of(each)), each) for each in self.objects), terms)

    def is_salted_as(self, listed: Listed, book: ReleaseBook, deadline: Deadline) -> bool:
        """
        Whether it is the same but for the salts, which name the commit and URI of who released it.

        Raises `Unavailable`. Every other object has to have the very digest.
        """
        if not self.rule.salted:
            return False
        documents = {ObjectId.of(each): canonical_object(each) for each in self.objects}
        if documents.keys() != listed.resources.keys():
            return False
        secrets = [found for found in documents if (found.group, found.kind) == _SECRET]
        rest = documents.keys() - set(secrets)
        if not secrets or any(_digest(documents[i]) != listed.resources[i] for i in rest):
            return False
        try:
            theirs = book.opened(listed, self.application.stage, deadline).release.objects
        except AttestationError:  # objects that are not what is signed
            return False
        return all(
            _digest(_salted_like(documents[each], theirs[each])) == listed.resources[each]
            for each in secrets
        )


def _digest(document: Object) -> Digest:
    return Digest.of(text_of(document))


def _salted_like(secret: Object, released: Object) -> Object:
    """Our Secret with the salts of the released one; what that has no salt for stays plain."""
    salts = {
        key: entry["salt"]
        for key, entry in members(released.get("data")).items()
        if is_salted(entry)
    }
    data = members(secret.get("data"))
    if not data or data.keys() != salts.keys():
        return secret
    return {**secret, "data": {key: salted(str(data[key]), salts[key]) for key in data}}


def _missing(
    application: Application,
    rule: ReleaseRule,
    book: ReleaseBook,
    own: Release,
    others: Sequence[Listed],
    commit: str,
    deadline: Deadline,
    option: str,
) -> Failure:
    pipeline, stage = application.pipeline, application.stage
    said = [f"release {own.digest} of {pipeline.name}/{stage.name} is not signed"]
    said += list(_nearest(application, book, own, others, deadline))
    rejected = book.rejections(pipeline, stage)
    said += [f"found instead: {r.code} {r.message}" for r in rejected[:_MAX_SHOWN]]
    source = application.source
    said.append(
        f"{' or '.join(sorted(rule.signers))} makes it of what {source.path} renders to:"
        " stagepass release build RENDERED.yaml"
        f" --pipeline {quote(pipeline.name)} --stage {quote(stage.name)}"
        f" --source {quote(f'{source.git}@{commit}')} --path {quote(source.path)}"
        f" --output-dir DIR, then stagepass release attest DIR {option}"
    )
    lacks = Missing("", pipeline.name, stage.name, "manifest", str(Code.MANIFEST_UNATTESTED))
    return Failure(Reason.RELEASE_MISSING, "; ".join(said), missing=[lacks])


def _nearest(
    application: Application,
    book: ReleaseBook,
    own: Release,
    others: Iterable[Listed],
    deadline: Deadline,
) -> Iterator[str]:
    """What tells it from the signed release with the fewest other objects; fields, never values."""
    mine = {ObjectId.of(each): _digest(each) for each in own.objects.values()}
    nearest = min(others, key=lambda listed: _distance(mine, listed.resources), default=None)
    if nearest is None:
        return
    shown: list[str] = []
    with suppress(Unavailable, AttestationError):  # this would only word it better
        theirs = book.opened(nearest, application.stage, deadline).release
        found = compare(theirs, own)
        shown = [f"{name} is new" for name in found.added]
        shown += [f"{name} is gone" for name in found.removed]
        shown += [f"{name} {c.path}" for name, changes in found.changed.items() for c in changes]
    more = f" and {len(shown) - _MAX_SHOWN} more" if len(shown) > _MAX_SHOWN else ""
    which = f"the nearest, {nearest.digest} by {nearest.owner},"
    differs = f"differs in {', '.join(shown[:_MAX_SHOWN])}{more}" if shown else "is another"
    yield f"{which} {differs}"


def _distance(mine: Mapping[Any, Digest], theirs: Mapping[Any, Digest]) -> int:
    """How many objects stand in one alone, or differ."""
    return sum(mine.get(each) != theirs.get(each) for each in mine.keys() | theirs.keys())
