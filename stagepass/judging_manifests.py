"""
Objects in places where manifests are judged: the images of an object, and the release it is of.

Where a stage requires it, an object enters only as a release says that is signed for that stage, and all
of whose images are admitted there: what was tested together moves together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from stagepass.attested import Matched, Search
from stagepass.decision import Answer, Code, Decision, Enforcement, Violation, combine
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.judging_images import judge_each
from stagepass.manifest import ImageField
from stagepass.manifests.metadata import EXEMPT
from stagepass.objects import Object, label_value, members
from stagepass.policy.model import Pipeline, PolicySet, Stage
from stagepass.policy.outlook import Question
from stagepass.policy.refusals import not_known, places_at
from stagepass.policy.releases import NO_CLAIMS, Claim, ManifestMode, ReleaseRule, Unattested
from stagepass.predicates.members import BREAK_GLASS
from stagepass.review import AdmissionRequest
from stagepass.stage import Place
from stagepass.verifier import Verifier

_EPHEMERAL = "ephemeralContainers"


@dataclass(frozen=True, slots=True)
class Scope:
    """A stage that judges the manifests of an object's kind in its place."""

    pipeline: Pipeline
    stage: Stage
    rule: ReleaseRule


def scopes(policy: PolicySet, place: Place, request: AdmissionRequest) -> tuple[Scope, ...]:
    """Every stage at `place` in whose releases an object of that kind must be; () for none."""
    about = request.object_id
    if (about.group, about.kind, about.name) in EXEMPT:
        return ()
    return tuple(
        Scope(pipeline, stage, stage.release)
        for pipeline in policy.pipelines
        for stage in pipeline.stages
        if stage.manifests is not ManifestMode.OFF  # first: it costs nothing, a pattern 1 us
        and stage.release is not None
        and (about.group, about.kind) in stage.release.kinds
        and stage.names(place)
    )


def judge_manifest(
    verifier: Verifier,
    place: Place,
    request: AdmissionRequest,
    fields: Sequence[ImageField],
    scopes: Sequence[Scope],
    now: datetime,
    deadline: Deadline,
) -> Decision | None:
    """
    The decision on an object whose kind is in `scopes`: its images, under what its release says.

    None where there is nothing to say: it has no images, and stages that only warn have no cause.
    """
    is_pod = (request.object_id.group, request.object_id.kind) == ("", "Pod")
    added = [f for f in fields if is_pod and f.slot[0] == _EPHEMERAL]
    own = tuple(f for f in fields if f not in added)
    document = _without_added(request.new or {}) if is_pod else request.new or {}
    case = _Case(verifier, place, document, own, request.creates, now, deadline)
    required = [s for s in scopes if s.stage.manifests is ManifestMode.REQUIRED]
    warned = [s for s in scopes if s not in required]
    concerned = [s for s in required if case.is_of(s.pipeline)]
    outcomes = [case.look_up(scope) for scope in concerned or required]
    judged = case.under(outcomes) if concerned or not required else case.any_of(outcomes)
    told = [each for scope in warned if (each := case.told(scope, added)) is not None]
    decisions = [*judged, *(d for f in added for d in case.added(f, required)), *told]
    return combine(decisions) if decisions else None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """
    What is known of the manifest at one stage, and what is decided about its release.

    `whole` is about every image of the release, `others` about each that the object has not itself;
    `asked` is what was judged for that, told to whom listens only where it counts.
    """

    scope: Scope
    claim: Claim
    whole: Decision | None = None
    others: tuple[Decision, ...] = ()
    asked: tuple[Question, ...] = ()
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """One object, without ephemeral containers: a release holds none."""

    verifier: Verifier
    place: Place
    document: Object
    fields: tuple[ImageField, ...]
    created: bool
    now: datetime
    deadline: Deadline

    def is_of(self, pipeline: Pipeline) -> bool:
        """Whether one of the object's images is the pipeline's."""
        return any(_is_of(pipeline, field) for field in self.fields)

    def look_up(self, scope: Scope) -> _Outcome:
        """
        The first release that the object equals and that is admitted, or the first that it equals.

        Raises nothing: what could not be read is an outcome.
        """
        search = self._search(scope)
        first: _Outcome | None = None
        for match in search.matches(self.now, self.deadline):
            asked: list[Question] = []
            trying = replace(self, verifier=self.verifier.telling(asked.append))
            judged = trying.release(scope, match)
            others = (d for i, d in judged.items() if (i.name, i.digest) not in self._own())
            whole = combine(list(judged.values()))
            found = _Outcome(scope, match.claim, whole, tuple(others), tuple(asked))
            if _admits(whole):
                return found
            first = first or found
        if first is not None and search.failure is None:
            return first
        problem = search.problem(self.deadline)
        return _Outcome(scope, problem, is_unknown=search.failure is not None)

    def told(self, scope: Scope, added: Sequence[ImageField]) -> Decision | None:
        """Of a stage that only warns: what is wrong with the manifest, None where nothing is."""
        search = self._search(scope)
        found = [_refused(scope, _debugging(field)) for field in added]
        if next(search.matches(self.now, self.deadline), None) is None:
            problem = search.problem(self.deadline)
            found.append(_refused(scope, problem, is_unknown=search.failure is not None))
        if not found:
            return None
        decision = combine(found)
        return replace(decision, enforcement=min(decision.enforcement, Enforcement.WARN))

    def under(self, outcomes: Sequence[_Outcome]) -> list[Decision]:
        """The object's own images, each under what is known, and those it was released with."""
        claims = {outcome.scope.pipeline.name: outcome.claim for outcome in outcomes}
        unknown = {o.scope.pipeline.name for o in outcomes if o.is_unknown}
        own = [not_known(each, unknown) for each in self._each(self.fields, claims)]
        for outcome in outcomes:
            if _admits(outcome.whole) or not self._is_excused(outcome, own):
                self.verifier.tell(outcome.asked)
        others = [
            each
            for outcome in outcomes
            for each in outcome.others
            if _admits(each) or not self._is_excused(outcome, own)
        ]
        return [*own, *others]

    def any_of(self, outcomes: Sequence[_Outcome]) -> list[Decision]:
        """
        An object of no pipeline's image is of some release, or of none.

        Images that it has nevertheless are judged as well, each on its own.
        """
        own = self._each(self.fields, NO_CLAIMS)
        if admitted := [o for o in outcomes if _admits(o.whole)]:
            outcomes = admitted[:1]
        for outcome in outcomes:
            self.verifier.tell(outcome.asked)
        whole = [o.whole for o in outcomes if o.whole is not None]
        if admitted:
            return [*own, *whole]
        refused = [
            _refused(o.scope, o.claim, is_unknown=o.is_unknown)
            for o in outcomes
            if isinstance(o.claim, Unattested)
        ]
        found = [*whole, *refused]
        # What one stage does not hold, another that could not be asked might; one that only warns
        # must not answer for one that enforces.
        strictest = max((each.enforcement for each in found), default=Enforcement.ENFORCE)
        unknown = [
            replace(each, enforcement=strictest)
            for each in found
            if each.answer is Answer.UNDETERMINED
        ]
        return [*own, *(unknown or found)]

    def added(self, field: ImageField, required: Sequence[Scope]) -> list[Decision]:
        """
        An ephemeral container, which needs break-glass of a pipeline that requires manifests here.

        Whatever else would admit its image, an exemption too, says nothing of what it is told to do.
        """
        claim = _debugging(field)
        known: dict[str, Claim] = {
            scope.pipeline.name: claim for scope in required if _is_of(scope.pipeline, field)
        }
        judged = self._each([field], known)
        strictest = sorted(required, key=lambda scope: scope.stage.enforcement)[-1:]
        return judged if known else [*judged, *(_refused(scope, claim) for scope in strictest)]

    def _is_excused(self, outcome: _Outcome, own: Sequence[Decision]) -> bool:
        """
        Whether the glass was broken for the pipeline's images, and so for what they were released with.

        For all of them: for one alone it excuses nothing of its neighbours.
        """
        pipeline = outcome.scope.pipeline
        mine = [d for f, d in zip(self.fields, own, strict=True) if _is_of(pipeline, f)]
        return bool(mine) and all(_is_broken(d, pipeline.name) for d in mine)

    def _search(self, scope: Scope) -> Search:
        images = tuple(dict.fromkeys(field.image for field in self.fields))
        books, of = self.verifier.releases, (scope.pipeline, scope.stage, scope.rule)
        places = places_at(self.verifier.policy, self.place)
        applications = frozenset(label_value(*each) for each in places)
        return Search(books, *of, self.document, images, self.created, applications)

    def release(self, scope: Scope, match: Matched) -> dict[ImageRef, Decision]:
        """All images of the release, where it says they run."""
        texts = [ImageField("", ("release", str(i)), str(i)) for i in match.images]
        judged = self._each(texts, {scope.pipeline.name: match.claim})
        return dict(zip(match.images, judged, strict=True))

    def _own(self) -> set[tuple[str, Digest | None]]:
        """The object's images, whatever their tags: they are judged at their own fields."""
        found = set()
        for each in self.fields:
            with suppress(InputError):
                image = ImageRef.parse(each.image)
                found.add((image.name, image.digest))
        return found

    def _each(self, fields: Sequence[ImageField], claims: Mapping[str, Claim]) -> list[Decision]:
        return judge_each(self.verifier, self.place, fields, self.now, self.deadline, claims)


def _debugging(field: ImageField) -> Unattested:
    message = "no release holds an ephemeral container"
    fix = "stagepass break-glass IMAGE@sha256:..."
    return Unattested(Code.MANIFEST_DIFFERS, message, field.path, fix)


def _is_of(pipeline: Pipeline, field: ImageField) -> bool:
    try:
        return pipeline.covers(ImageRef.parse(field.image))
    except InputError:  # it is none, which its own judgement says
        return False


def _is_broken(decision: Decision, pipeline: str) -> bool:
    """Whether it is admitted, and at that pipeline's stage by break-glass."""
    by = ((m.pipeline, m.predicate_type) for m in decision.met)
    return _admits(decision) and (pipeline, BREAK_GLASS) in by


def _admits(decision: Decision | None) -> bool:
    return decision is not None and decision.answer is Answer.ADMITTED


def _without_added(pod: Object) -> Object:
    """Without ephemeral containers, which are judged each on its own."""
    spec = members(pod.get("spec"))
    if _EPHEMERAL not in spec:
        return pod
    return {**pod, "spec": {k: v for k, v in spec.items() if k != _EPHEMERAL}}


def _refused(scope: Scope, claim: Unattested, *, is_unknown: bool = False) -> Decision:
    where = (scope.pipeline.name, scope.stage.name)
    requirement = "" if is_unknown else "manifest"
    violation = Violation(claim.path, "", *where, requirement, claim.code, claim.message, claim.fix)
    answer = Answer.UNDETERMINED if is_unknown else Answer.DENIED
    return Decision(answer, scope.stage.enforcement, places=(where,), violations=(violation,))
