"""
The one place that decides.

`evaluate` takes values and `now`. It reaches no clock, socket, file, environment or log, tries every
requirement, and names everything that is missing at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from stagepass.clock import format_time
from stagepass.decision import Answer, Code, Decision, Enforcement, Met, Violation, combine
from stagepass.digest import ImageRef
from stagepass.evidence import Evidence
from stagepass.policy.case import NEARLY, Case, Finding, Reason, earliest
from stagepass.policy.entry import broken_glass, receipts
from stagepass.policy.model import Baseline, Pipeline, PolicySet, Stage
from stagepass.policy.passes import judge_passes
from stagepass.policy.refusals import enforcement_at, exempted, exemption, refuse, unlisted
from stagepass.policy.releases import NO_CLAIMS, Attested, Claim, ManifestMode, Unattested
from stagepass.policy.requirements import judge_approvals, judge_attestation
from stagepass.predicates.members import APPROVAL, BREAK_GLASS, STAGE_ENTERED, STAGE_PASSED
from stagepass.predicates.release import RELEASE
from stagepass.stage import Place

_TAG_MOVES = "a tag can be moved after it was judged, so only a digest can be admitted"
_PIN = "write IMAGE@sha256:... as the build printed it, or what `stagepass pin IMAGE:TAG` prints"


def wanted(policy: PolicySet, image: ImageRef, place: Place) -> frozenset[str]:
    """The predicate types that could matter for `image` in `place`; empty where none is asked for."""
    if policy.revocations is not None and policy.revocations.reason(image) is not None:
        return frozenset()
    types: set[str] = set()
    for baseline in policy.baselines:
        if baseline.applies(image, place):
            types |= {need.predicate_type for need in baseline.requires}
    for pipeline, stage in policy.at(place):
        if not pipeline.covers(image):
            continue
        types |= {need.predicate_type for need in stage.requires}
        types |= {STAGE_PASSED} if stage.after else set()
        types |= {APPROVAL} if stage.approvals else set()
        types |= {STAGE_ENTERED} if stage.signed_by else set()
        types |= {BREAK_GLASS} if stage.break_glass else set()
    return frozenset(types)


def evaluate(
    policy: PolicySet,
    image: ImageRef,
    place: Place,
    evidence: Evidence,
    *,
    now: datetime,
    claims: Mapping[str, Claim] = NO_CLAIMS,
) -> Decision:
    """
    Whether `image` may run in `place` at `now`, on this evidence.

    `evidence` must be about `image.digest`, which its verifier has compared. Several pipelines over
    one place must each admit, and every Baseline as well. `claims` says by pipeline what is known of
    the manifest that names the image; it counts where manifests are required, and a pipeline without
    one is judged by the image alone. Never raises: what is missing or wrong is a violation.
    """
    if policy.expires is not None and policy.expires <= now:
        message = "could not find out: the signed policy set has expired"
        return refuse(
            Code.POLICY_INVALID, message, image, Enforcement.ENFORCE, answer=Answer.UNDETERMINED
        )
    if policy.revocations is not None:
        verdict = policy.revocations.judge(image, now)
        if verdict is not None:
            return refuse(verdict[0], verdict[1], image, enforcement_at(policy, place))
        evidence = policy.revocations.keep(evidence)
    decisions = list(_decisions(policy, image, place, evidence, now, claims))
    decision = combine(decisions)
    if policy.revocations is not None:
        decision = replace(decision, notices=policy.revocations.notices(now) + decision.notices)
    edges = (policy.expires, policy.revocations.expires if policy.revocations else None)
    return replace(decision, valid_until=earliest(decision.valid_until, *edges))


def _decisions(
    policy: PolicySet,
    image: ImageRef,
    place: Place,
    evidence: Evidence,
    now: datetime,
    claims: Mapping[str, Claim],
) -> Iterator[Decision]:
    stages = [(p, stage) for p, stage in policy.at(place) if p.covers(image)]
    exempt = exemption(policy, image, place, now)
    floors = [baseline for baseline in policy.baselines if baseline.applies(image, place)]
    if exempt is not None and (floors or not stages):
        # Told and never kept, also where a pipeline covers the image and only a floor is lifted.
        excused = exempted(policy, place, exempt, now)
        yield replace(excused, places=()) if stages else excused
        floors = []
    elif not stages:
        yield unlisted(policy, image, place)
    if stages and image.digest is None:
        enforcement = max(stage.enforcement for _, stage in stages)
        places = tuple(sorted((pipeline.name, stage.name) for pipeline, stage in stages))
        yield refuse(Code.DIGEST_REQUIRED, _TAG_MOVES, image, enforcement, places, fix=_PIN)
        stages = []
    for pipeline, stage in stages:
        case = Case(policy, pipeline.name, stage.name, image, place, evidence, now, now)
        if stage.manifests is ManifestMode.REQUIRED:
            case = replace(case, claim=claims.get(pipeline.name), needs_release=True)
        yield _judge_stage(case, pipeline, stage)
    for baseline in floors:
        yield _judge_baseline(policy, baseline, image, place, evidence, now)


def _judge_stage(case: Case, pipeline: Pipeline, stage: Stage) -> Decision:
    """Judged once at now, once per valid receipt, and last for an emergency; the first that admits."""
    ordinary = _judge_at(case, pipeline, stage)
    if ordinary.answer is Answer.ADMITTED:
        return ordinary
    for receipt in receipts(case, stage):
        stayed = _judge_at(replace(case, entry=receipt.entered), pipeline, stage)
        if stayed.answer is Answer.ADMITTED:
            # At the time of entry the clock stands still: only the receipt itself can end.
            return replace(stayed, valid_until=receipt.until)
    emergency = broken_glass(case, stage.break_glass) if stage.break_glass else None
    if emergency is None:
        return ordinary
    return replace(
        ordinary,
        answer=Answer.ADMITTED,
        violations=(),
        met=emergency.met,
        required=len(emergency.met),
        notes=(Code.BREAK_GLASS,),
        notices=(emergency.notice,),
        valid_until=case.now,
    )


def _judge_at(case: Case, pipeline: Pipeline, stage: Stage) -> Decision:
    findings = [
        *judge_passes(case, pipeline, stage),
        *(judge_attestation(case, need) for need in stage.requires),
        *(judge_approvals(case, need) for need in stage.approvals),
    ]
    closed = [_closed(case, str(w)) for w in stage.windows if w.denies(case.entry)]
    if isinstance(case.claim, Unattested):
        closed.append(_unattested(case, case.claim))
    elif case.claim is not None and case.claim.signer:
        findings.append(_attested(case, case.claim))
    change = earliest(*(w.next_change(case.entry) for w in stage.windows))
    decision = _decided(case, findings, stage.enforcement, closed, change)
    of = (str(case.attested.release),) if case.attested else ()
    return replace(decision, releases=of)


def _judge_baseline(
    policy: PolicySet,
    baseline: Baseline,
    image: ImageRef,
    place: Place,
    evidence: Evidence,
    now: datetime,
) -> Decision:
    if image.digest is None:
        return refuse(Code.DIGEST_REQUIRED, _TAG_MOVES, image, Enforcement.ENFORCE, fix=_PIN)
    case = Case(policy, "", "", image, place, evidence, now, now)
    findings = [
        replace(finding, requirement=f"{baseline.name}: {finding.requirement}")
        for finding in (judge_attestation(case, need) for need in baseline.requires)
    ]
    return _decided(case, findings, Enforcement.ENFORCE, [], None)


def _decided(
    case: Case,
    findings: Sequence[Finding],
    enforcement: Enforcement,
    closed: list[Violation],
    change: datetime | None,
) -> Decision:
    violations = {v for finding in findings for v in _violations(case, finding)}
    violations.update(closed)
    met = tuple(m for finding in findings for m in finding.met)
    return Decision(
        answer=Answer.DENIED if violations else Answer.ADMITTED,
        enforcement=enforcement,
        places=((case.pipeline, case.stage),) if case.stage else (),
        violations=tuple(sorted(violations)),
        met=met,
        required=sum(max(1, len(finding.met)) for finding in findings),
        valid_until=earliest(change, *(finding.until for finding in findings)),
    )


def _violations(case: Case, finding: Finding) -> Iterator[Violation]:
    """The unmet requirement itself, then each other reason why evidence for it does not count."""
    if finding.missing is None:
        return
    rejected = sorted(
        (r.code, r.message)
        for r in case.evidence.rejections
        if r.predicate_type in ("", finding.predicate_type)
    )
    nearly = [reason for reason in finding.reasons if reason[0] in NEARLY]
    others = [] if nearly else [*finding.reasons, *rejected]
    code, message = nearly[0] if nearly else finding.missing
    for each, text in ((code, message + _summary(others)), *dict.fromkeys(others)):
        yield Violation(
            path="",
            image=str(case.image),
            pipeline=case.pipeline,
            stage=case.stage,
            requirement=finding.requirement,
            code=each,
            message=text,
            fix=finding.fix,
        )


def _summary(reasons: Sequence[Reason]) -> str:
    """`; found instead: SUBJECT_MISMATCH signed for another digest (2)`, "" where nothing was."""
    counted = (f"{c} {text} ({reasons.count((c, text))})" for c, text in dict.fromkeys(reasons))
    found = ", ".join(counted)
    return f"; found instead: {found}" if found else ""


def _closed(case: Case, window: str) -> Violation:
    return Violation(
        path="",
        image=str(case.image),
        pipeline=case.pipeline,
        stage=case.stage,
        requirement="window",
        code=Code.WINDOW_CLOSED,
        message=f"nothing enters {case.stage!r} during {window}",
        fix="wait until the window opens",
    )


def _unattested(case: Case, claim: Unattested) -> Violation:
    """Of the whole object, so it names no image: several images of one object give it once."""
    return Violation(
        path=claim.path,
        image="",
        pipeline=case.pipeline,
        stage=case.stage,
        requirement="manifest",
        code=claim.code,
        message=claim.message,
        fix=claim.fix,
    )


def _attested(case: Case, claim: Attested) -> Finding:
    """The release by which the manifest is judged; its key's end counts at entry, as any other's."""
    payload = str(claim.payload_digest)
    met = Met(case.pipeline, case.stage, "manifest", RELEASE, claim.signer, payload, None)
    if claim.until is None or case.entry < claim.until:
        return Finding("manifest", RELEASE, (met,), claim.until)
    ended = (
        f"the key of {claim.signer}, who signed the release, ended at {format_time(claim.until)}"
    )
    return Finding("manifest", RELEASE, missing=(Code.MANIFEST_UNATTESTED, ended))
