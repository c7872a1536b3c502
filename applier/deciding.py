"""
Whether a rendered version may be applied here: the webhook's own decision, over every object of it.

Nothing is laundered: what was let in by break-glass, an exemption or a lenient enforcement is applied,
and never signed for (DESIGN section 8.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from applier.application import Application
from applier.failure import Failure, Missing, Reason
from applier.releases import Released, is_required, look_up
from applier.rules import Object, identity
from applier.state import State
from stagepass.admission import judge_object
from stagepass.decision import Answer, Code, Decision, Enforcement, Violation, combine
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.foreseen import Heard, by_enforcement
from stagepass.judging_images import judge_images
from stagepass.manifest import ObjectId, image_fields
from stagepass.policy.model import PolicySet
from stagepass.policy.outlook import Question
from stagepass.policy.releases import Claim, ManifestMode
from stagepass.predicates.named_release import NamedRelease
from stagepass.review import AdmissionRequest
from stagepass.stage import Place
from stagepass.verifier import Verifier

_SECONDS = 30.0
_ORDINARY = {Code.NO_IMAGES}
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Decided:
    """
    A version that may be applied.

    `native`: by the evidence alone. `images` are (image, digest, namespace) of the pipeline's own
    images, which receipts and passes are about. `release` is the signed one of the whole version,
    where its stage looks at releases and one was found; else `unreleased` says why there is none.
    """

    native: bool
    images: tuple[tuple[ImageRef, Digest, str], ...]
    release: NamedRelease | None = None
    unreleased: str = ""

    def noted(self, state: State) -> State:
        """The state of an application that runs this."""
        return replace(state, release=self.release, unreleased=self.unreleased)


def decide(
    application: Application,
    verifier: Verifier,
    objects: Sequence[Object],
    now: datetime,
    *,
    commit: str = "",
    only: Sequence[Object] | None = None,
) -> Decided:
    """
    `objects` are all of a version, rendered at `commit`; those in `only` are judged, by default all.

    Raises `Failure`: NOT_ADMITTED, with the moment the clock will change that; UNDETERMINED; and where
    manifests are required RELEASE_MISSING or RELEASE_REFUSED, unless somebody broke the glass.
    """
    heard, judged = Heard(), objects if only is None else only
    deadline = Deadline.after(_SECONDS)
    released = look_up(application, verifier.releases, objects, commit, now, deadline)
    case = _Case(application, released, now)
    decisions = case.judge(verifier.telling(heard), judged)
    refused = [(found, d) for found, d in decisions if not d.allowed]
    problem = released.problem if is_required(application.stage) else None
    if problem is not None and not _is_excused(application, decisions):
        raise _unreleased(problem, refused)
    if refused:
        # What a cache answered was not heard of, and must be admitted at the same moment.
        others = [o for o, (_, d) in zip(judged, decisions, strict=True) if d.allowed]
        case.judge(verifier.telling(heard, cached=False), others)
        raise _failure(refused, heard.until((d for _, d in refused), now, by_enforcement))
    native = problem is None and all(_is_native(verifier.policy, d) for _, d in decisions)
    why = released.problem.message if released.problem else ""
    return Decided(native, images_of(application, objects), released.named, why)


def allowed_until(
    application: Application,
    verifier: Verifier,
    objects: Sequence[Object],
    now: datetime,
    *,
    commit: str = "",
) -> datetime | None:
    """
    When the same evidence will first refuse one of the objects, `now` where it does; None without end.

    Raises `Failure` where that cannot be found out: UNDETERMINED. Nothing decided before is used.
    """
    heard = Heard()
    deadline = Deadline.after(_SECONDS)
    released = look_up(application, verifier.releases, objects, commit, now, deadline)
    case = _Case(application, released, now)
    decisions = case.judge(verifier.telling(heard, cached=False), objects)
    if any(d.answer is Answer.UNDETERMINED for _, d in decisions):
        raise _failure([(f, d) for f, d in decisions if d.answer is Answer.UNDETERMINED], None)
    problem = released.problem if is_required(application.stage) else None
    if problem is not None and not _is_excused(application, decisions):
        if problem.reason is Reason.UNDETERMINED:
            raise problem
        return now
    if not all(d.allowed for _, d in decisions):
        return now
    return heard.admitted_until(now, by_enforcement)


def questions_of(
    application: Application,
    verifier: Verifier,
    objects: Sequence[Object],
    now: datetime,
    *,
    commit: str = "",
) -> tuple[Released, list[Question]]:
    """The release of `objects`, and all that has to be asked of evidence about them, found out anew."""
    deadline = Deadline.after(_SECONDS)
    released = look_up(application, verifier.releases, objects, commit, now, deadline)
    found: list[Question] = []
    _Case(application, released, now).judge(verifier.telling(found.append, cached=False), objects)
    return released, found


def images_of(
    application: Application, objects: Sequence[Object]
) -> tuple[tuple[ImageRef, Digest, str], ...]:
    """(image, digest, namespace) of the pipeline's own images, each once."""
    return tuple(dict.fromkeys(_images(application, objects)))


@dataclass(frozen=True, slots=True)
class _Case:
    """Objects of one version, judged as the gate will judge them, and as what its release is."""

    application: Application
    released: Released
    now: datetime

    def judge(
        self, verifier: Verifier, objects: Sequence[Object]
    ) -> list[tuple[ObjectId, Decision]]:
        """One decision for each object, in their order."""
        deadline = Deadline.after(_SECONDS)
        return [(ObjectId.of(o), self._object(verifier, o, deadline)) for o in objects]

    def _object(self, verifier: Verifier, document: Object, deadline: Deadline) -> Decision:
        """
        The gate's answer, and that on the images under the very release that is to be applied.

        To the gate any release will do of which the object is; a set is of one alone.
        """
        about, cluster = ObjectId.of(document), self.application.cluster
        request = AdmissionRequest(identity(about), "CREATE", about, document, None)
        found = judge_object(verifier, cluster, request, now=self.now, deadline=deadline)
        claim = self.released.claim if is_required(self.application.stage) else None
        if claim is None or not found.allowed:
            return found
        custom = verifier.policy.custom_resources
        fields = image_fields(about.group, about.kind, document, custom)
        if not fields:
            return found
        claims: dict[str, Claim] = {self.application.pipeline.name: claim}
        place = Place(cluster, about.namespace)
        mine = judge_images(verifier, place, fields, self.now, deadline, claims)
        return combine([found, mine])


def _is_excused(application: Application, decisions: Sequence[tuple[ObjectId, Decision]]) -> bool:
    """
    Whether a version without a release may be applied, and is never signed for: in an emergency.

    Then the gate lets every object in all the same; so does a stage that refuses nothing.
    """
    lenient = application.stage.enforcement is not Enforcement.ENFORCE
    is_broken = any(Code.BREAK_GLASS in d.notes for _, d in decisions)
    return lenient or (is_broken and all(d.allowed for _, d in decisions))


def _is_native(policy: PolicySet, decision: Decision) -> bool:
    """By the evidence alone: what a stage that only warns says of manifests is told, and no more."""
    if not set(decision.notes) <= _ORDINARY:
        return False
    warned = {
        (pipeline.name, stage.name)
        for pipeline in policy.pipelines
        for stage in pipeline.stages
        if stage.manifests is ManifestMode.WARN
    }
    return all(_is_of_manifest(v) and (v.pipeline, v.stage) in warned for v in decision.violations)


def _is_of_manifest(violation: Violation) -> bool:
    """What is unmet, or could not be found out: what is said of evidence names an image."""
    return violation.requirement == "manifest" or not (violation.requirement or violation.image)


def _unreleased(problem: Failure, refused: Sequence[tuple[ObjectId, Decision]]) -> Failure:
    """The problem, and beside it what the images lack besides: everything that is missing at once."""
    rest = [
        (found, v) for found, d in refused for v in d.unmet if v.requirement not in ("", "manifest")
    ]
    said = dict.fromkeys(f"{v.code}: {v.message} ({v.image})" for _, v in rest)
    missing = [*problem.missing, *_missing(v for _, v in rest)]
    message = "; ".join([problem.message, *list(said)[:_MAX_SHOWN]])
    objects = dict.fromkeys(identity(found) for found, _ in refused)
    return Failure(problem.reason, message, objects=list(objects), missing=missing)


def _failure(refused: Sequence[tuple[ObjectId, Decision]], wakes: datetime | None) -> Failure:
    unknown = all(d.answer is Answer.UNDETERMINED for _, d in refused)
    said = (
        f"{identity(found)}: {v.code}: {v.message}" + (f" ({v.image})" if v.image else "")
        for found, d in refused
        for v in d.unmet
    )
    lines = list(dict.fromkeys(said))
    more = f"; and {len(lines) - _MAX_SHOWN} more" if len(lines) > _MAX_SHOWN else ""
    return Failure(
        Reason.UNDETERMINED if unknown else Reason.NOT_ADMITTED,
        "; ".join(lines[:_MAX_SHOWN]) + more,
        objects=[identity(found) for found, _ in refused],
        wakes=wakes,
        missing=_missing(v for _, d in refused for v in d.unmet),
    )


def _missing(unmet: Iterable[Violation]) -> list[Missing]:
    """What they ask for, each once, sorted."""
    found = {Missing(v.image, v.pipeline, v.stage, v.requirement, str(v.code)) for v in unmet}
    return sorted(found, key=lambda each: tuple(each.to_document().values()))


def _images(
    application: Application, objects: Sequence[Object]
) -> Iterator[tuple[ImageRef, Digest, str]]:
    for document in objects:
        found = ObjectId.of(document)
        for field in image_fields(found.group, found.kind, document):
            try:
                image = ImageRef.parse(field.image)
            except InputError:
                continue
            if image.digest is not None and application.pipeline.covers(image):
                yield image, image.digest, found.namespace
