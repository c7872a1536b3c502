"""
The one place that decides.

`evaluate` takes values and `now`. It reaches no clock, socket, file, environment or log, tries every
requirement, and names everything that is missing at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from stagepass.decision import Answer, Code, Decision, Enforcement, Met, Violation, combine
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Evidence
from stagepass.policy.model import (
    AttestationRequirement,
    Edge,
    Key,
    Pipeline,
    PolicySet,
    Stage,
)
from stagepass.policy.passes import NEARLY, Accepted, PassAsked, Reason, judge_pass
from stagepass.predicates import STAGE_PASSED
from stagepass.stage import Place


@dataclass(frozen=True, slots=True)
class _Finding:
    """One requirement judged: met by `met`, or not for the `reasons` (code, text), nearest first."""

    requirement: str
    predicate_type: str
    met: Met | None = None
    until: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    missing: Reason = (Code.PASS_MISSING, "")
    fix: str = ""


@dataclass(frozen=True, slots=True)
class _Case:
    """What every judgement of one image at one stage shares."""

    policy: PolicySet
    pipeline: Pipeline
    stage: Stage
    image: ImageRef
    evidence: Evidence
    now: datetime


def wanted(policy: PolicySet, image: ImageRef, place: Place) -> frozenset[str]:
    """The predicate types that could matter for `image` in `place`; empty where none is asked for."""
    types: set[str] = set()
    for pipeline, stage in policy.at(place):
        if pipeline.covers(image):
            types |= {need.predicate_type for need in stage.requires}
            types |= {STAGE_PASSED} if stage.after else set()
    return frozenset(types)


def enforcement_at(policy: PolicySet, place: Place) -> Enforcement:
    """What a refusal in `place` leads to before a pipeline is known: the strictest of its stages."""
    if place.cluster not in policy.clusters():
        return Enforcement.ENFORCE
    return max((stage.enforcement for _, stage in policy.at(place)), default=policy.unlisted)


def evaluate(
    policy: PolicySet, image: ImageRef, place: Place, evidence: Evidence, *, now: datetime
) -> Decision:
    """
    Whether `image` may run in `place` at `now`, on this evidence.

    `evidence` must be about `image.digest`, which its verifier has compared. Several pipelines over
    one place must each admit. Never raises: what is missing or wrong is a violation.
    """
    stages = [(p, stage) for p, stage in policy.at(place) if p.covers(image)]
    if not stages:
        return _unlisted(policy, image, place)
    if image.digest is None:
        enforcement = max(stage.enforcement for _, stage in stages)
        places = tuple(sorted((pipeline.name, stage.name) for pipeline, stage in stages))
        return refuse(Code.DIGEST_REQUIRED, _TAG_MOVES, image, enforcement, places, fix=_PIN)
    cases = (_Case(policy, pipeline, stage, image, evidence, now) for pipeline, stage in stages)
    return combine([_judge(case) for case in cases])


_WATCHED = " --observed-from TIME --observed-to TIME"
_TAG_MOVES = "a tag can be moved after it was judged, so only a digest can be admitted"
_PIN = "write IMAGE@sha256:... as the build printed it"


def refuse(
    code: Code,
    message: str,
    image: ImageRef | str,
    enforcement: Enforcement,
    places: tuple[tuple[str, str], ...] = (),
    *,
    fix: str = "",
    answer: Answer = Answer.DENIED,
) -> Decision:
    """A decision with one reason, which no evidence could have changed."""
    names = places or (("", ""),)
    violations = tuple(Violation("", str(image), p, s, "", code, message, fix) for p, s in names)
    return Decision(answer, enforcement, places=places, violations=violations)


def _unlisted(policy: PolicySet, image: ImageRef, place: Place) -> Decision:
    places = tuple(sorted((pipeline.name, stage.name) for pipeline, stage in policy.at(place)))
    if place.cluster not in policy.clusters():
        message = f"no stage names the cluster {place.cluster!r}"
        fix = "name it in a stage's clusters, or correct the gate's own cluster setting"
    elif not places:
        message = f"no stage names the namespace {place.namespace!r} of cluster {place.cluster!r}"
        fix = "name it in a stage's namespaces"
    else:
        message = f"no pipeline of {place} covers this image"
        fix = "add its repository to a pipeline's images"
    enforcement = enforcement_at(policy, place)
    return refuse(Code.UNLISTED, message, image, enforcement, places, fix=fix)


def _judge(case: _Case) -> Decision:
    findings = [*_passes(case), *(_attestation(case, need) for need in case.stage.requires)]
    violations = sorted({v for finding in findings for v in _violations(case, finding)})
    edges = [finding.until for finding in findings if finding.until is not None]
    return Decision(
        answer=Answer.DENIED if violations else Answer.ADMITTED,
        enforcement=case.stage.enforcement,
        places=((case.pipeline.name, case.stage.name),),
        violations=tuple(violations),
        met=tuple(finding.met for finding in findings if finding.met is not None),
        required=len(findings),
        valid_until=min(edges, default=None),
    )


def _violations(case: _Case, finding: _Finding) -> Iterator[Violation]:
    """The unmet requirement itself, then each other reason why evidence for it does not count."""
    if finding.met is not None:
        return
    rejected = [
        (r.code, r.message)
        for r in case.evidence.rejections
        if r.predicate_type in ("", finding.predicate_type)
    ]
    timed = [reason for reason in finding.reasons if reason[0] in NEARLY]
    head, others = (
        (timed[0], []) if timed else (finding.missing, [*finding.reasons, *sorted(rejected)])
    )
    head = (head[0], head[1] + _summary(others))
    fix = finding.fix + (_WATCHED if head[0] is Code.SOAKING else "")
    for code, message in (head, *dict.fromkeys(others)):
        yield Violation(
            path="",
            image=str(case.image),
            pipeline=case.pipeline.name,
            stage=case.stage.name,
            requirement=finding.requirement,
            code=code,
            message=message,
            fix=fix,
        )


def _summary(reasons: Sequence[Reason]) -> str:
    """`; found instead: SUBJECT_MISMATCH signed for another digest (2)`, "" where nothing was."""
    counted = (
        f"{code} {text} ({reasons.count((code, text))})" for code, text in dict.fromkeys(reasons)
    )
    found = ", ".join(counted)
    return f"; found instead: {found}" if found else ""


def _passes(case: _Case) -> Iterator[_Finding]:
    """One finding for each cluster of each ancestor; an edge's soak and maxAge bind direct parents only."""
    direct = {edge.stage: edge for edge in case.stage.after}
    for ancestor in case.pipeline.before(case.stage):
        for cluster in ancestor.clusters:
            yield _pass(case, ancestor, cluster, direct.get(ancestor.name, Edge(ancestor.name)))


def _pass(case: _Case, ancestor: Stage, cluster: str, edge: Edge) -> _Finding:
    asked = PassAsked(case.pipeline.name, ancestor.name, cluster, edge)
    requirement, reasons = f"passed {ancestor.name}@{cluster}", list[Reason]()
    for attestation in _of_type(case.evidence, STAGE_PASSED):
        keys = _keys(case, attestation, ancestor.signed_by)
        outcome = judge_pass(attestation, asked, keys, now=case.now)
        if isinstance(outcome, Accepted):
            met = _met(case, requirement, attestation, outcome.time)
            return _Finding(requirement, STAGE_PASSED, met, outcome.until)
        if outcome is not None:
            reasons.append(outcome)
    signers = " or ".join(ancestor.signed_by)
    missing = f"no pass of stage {ancestor.name!r} in cluster {cluster!r}, signed by {signers}"
    return _Finding(
        requirement,
        STAGE_PASSED,
        reasons=tuple(sorted(reasons, key=_nearness)),
        missing=(Code.PASS_MISSING, missing),
        fix=(
            f"stagepass attest {case.image.name}@{case.image.digest} --key KEY"
            f" --stage {ancestor.name} --pipeline {case.pipeline.name} --cluster {cluster}"
        ),
    )


def _attestation(case: _Case, need: AttestationRequirement) -> _Finding:
    reasons: list[Reason] = []
    for attestation in _of_type(case.evidence, need.predicate_type):
        keys = _keys(case, attestation, need.signers)
        if keys:
            met = _met(case, need.name, attestation, None)
            return _Finding(need.name, need.predicate_type, met, keys[0].valid_until)
        reasons.append(
            (Code.SIGNER_UNKNOWN, f"{need.name} is signed by {attestation.owner}, who may not")
        )
    signers = " or ".join(need.signers)
    return _Finding(
        need.name,
        need.predicate_type,
        reasons=tuple(sorted(reasons)),
        missing=(Code.REQUIREMENT_MISSING, f"no attestation {need.name!r}, signed by {signers}"),
        fix=(
            f"stagepass attest {case.image.name}@{case.image.digest} --key KEY"
            f" --type {need.predicate_type} --predicate FILE"
        ),
    )


def _of_type(evidence: Evidence, predicate_type: str) -> Iterator[Attestation]:
    """Exact match (CVE-2022-35930), in an order that does not depend on how evidence arrived."""
    matching = (a for a in evidence.attestations if a.statement.predicate_type == predicate_type)
    return iter(sorted(matching, key=lambda a: (a.statement.payload_digest, a.key_id)))


def _keys(case: _Case, attestation: Attestation, names: Iterable[str]) -> list[Key]:
    """The entries of these attestors for the key that signed `attestation`, as far as valid now."""
    keys = (case.policy.attestors[name].key(attestation.key_id) for name in names)
    return [key for key in keys if key is not None and key.valid_at(case.now)]


def _met(case: _Case, requirement: str, attestation: Attestation, time: datetime | None) -> Met:
    return Met(
        pipeline=case.pipeline.name,
        stage=case.stage.name,
        requirement=requirement,
        predicate_type=attestation.statement.predicate_type,
        signer=attestation.owner,
        payload_digest=str(attestation.statement.payload_digest),
        time=time,
    )


def _nearness(reason: Reason) -> tuple[int, Code, str]:
    code, text = reason
    return (NEARLY.index(code) if code in NEARLY else len(NEARLY), code, text)
