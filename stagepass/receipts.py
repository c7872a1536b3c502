"""When what runs entered its place: what a receipt that is signed anew must say again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from stagepass.clock import format_time
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import AttestationError, Unavailable
from stagepass.evidence import Attestation, Deadline, Evidence, EvidenceSource, Rejection
from stagepass.policy.case import Case, Reason
from stagepass.policy.entry import Receipt, receipts
from stagepass.policy.model import PolicySet, Stage
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.members import STAGE_ENTERED
from stagepass.stage import Place


def entry(
    policy: PolicySet,
    pipeline: str,
    stage: Stage,
    image: ImageRef,
    place: Place,
    sources: Sequence[EvidenceSource],
    *,
    now: datetime,
    deadline: Deadline,
    release: Digest | None = None,
) -> Receipt | Reason:
    """
    The newest valid receipt for that place, of `release` where that is given, or why there is none.

    Any key that signs for the stage there may have made it: that is how a key is rotated. Whether
    the image is admitted today, and whether a key may sign, is the caller's to ask. `image` has a
    digest. Raises `Unavailable` where none is found and a source could not be read.
    """
    if image.digest is None:
        raise ValueError("a receipt is about a digest")
    if policy.revocations is not None and (why := policy.revocations.judge(image, now)):
        return why
    found, failure = _gathered(policy, image, image.digest, sources, deadline)
    case = Case(policy, pipeline, stage.name, image, place, found, now, now)
    valid = [r for r in receipts(case, stage) if release is None or r.release == release]
    if valid:
        return max(valid, key=lambda receipt: receipt.entered)
    if failure is not None:
        raise failure
    return _missing(case)


def _gathered(
    policy: PolicySet,
    image: ImageRef,
    digest: Digest,
    sources: Sequence[EvidenceSource],
    deadline: Deadline,
) -> tuple[Evidence, Unavailable | None]:
    """Every receipt that verifies and is not revoked, and the first failure to read one."""
    items: list[Attestation | Rejection] = []
    failure: Unavailable | None = None
    for source in sources:
        try:
            for batch in source.batches(image, digest, frozenset({STAGE_ENTERED}), deadline):
                items += (policy.keys.verify(each, digest) for each in deadline.each(batch))
        except Unavailable as error:
            failure = failure or error
    found = Evidence(tuple(item for item in items if isinstance(item, Attestation)))
    return (policy.revocations.keep(found) if policy.revocations else found), failure


def _missing(case: Case) -> Reason:
    """The nearest reason why no receipt is valid."""
    for rejection in case.evidence.rejections:
        if rejection.predicate_type == STAGE_ENTERED:
            return rejection.code, rejection.message
    ends = [claim.expires for claim in _claims(case) if claim.expires and claim.expires <= case.now]
    if ends:
        return Code.EXPIRED, f"the receipt for {case.place} expired at {format_time(max(ends))}"
    return Code.REQUIREMENT_MISSING, f"no valid receipt for {case.stage!r} in {case.place}"


def _claims(case: Case) -> Iterator[StageEntered]:
    here = (case.pipeline, case.stage, case.place.cluster, case.place.namespace)
    for attestation in case.of_type(STAGE_ENTERED):
        try:
            claim = StageEntered.parse(attestation.statement.predicate)
        except AttestationError:
            continue
        where = claim.environment
        if (claim.pipeline, claim.stage, where.cluster, where.namespace) == here:
            yield claim
