"""
One Kubernetes object in one cluster: which images it runs, and whether each may run there.

The webhook gives it what an API server asks, `stagepass admit` what a file holds: the same question.
"""

from __future__ import annotations

from datetime import datetime

from stagepass.decision import Answer, Code, Decision, combine
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.manifest import ImageField, ObjectId, image_fields, slots
from stagepass.policy.refusals import enforcement_at, places_at, refuse
from stagepass.review import AdmissionRequest
from stagepass.stage import Place
from stagepass.verifier import Verifier

# 22,000 images fit into one request and took 4 s; no real Pod has a hundredth of that.
MAX_IMAGES = 500


def judge_object(
    verifier: Verifier,
    cluster: str,
    request: AdmissionRequest,
    *,
    now: datetime,
    deadline: Deadline,
) -> Decision:
    """
    The decision on the object of `request`.

    Nothing but the operation, the kind, the images and the place is looked at: not the user, owners,
    labels, deletionTimestamp or dry run, each of which has let something past another gate.
    """
    place = Place(cluster, request.object_id.namespace)
    if request.operation in ("DELETE", "CONNECT"):
        return _admitted(verifier, place, Code.NO_IMAGES)
    try:
        fields = _fields(request)
    except InputError as error:
        return _undetermined(verifier, place, Code.OBJECT_INVALID, str(error))
    if not fields:
        return _admitted(verifier, place, Code.NO_IMAGES)
    if request.operation == "UPDATE" and _unchanged(request, fields):
        return _admitted(verifier, place, Code.UNCHANGED)
    if len(fields) > MAX_IMAGES:
        message = f"could not find out: {len(fields)} images; at most {MAX_IMAGES} are judged"
        return _undetermined(verifier, place, Code.EVIDENCE_LIMIT, message)
    return verifier.remembered(
        (place, tuple(fields)),
        now,
        deadline,
        lambda: combine([_judge(verifier, place, field, now, deadline) for field in fields]),
    )


def _fields(request: AdmissionRequest) -> list[ImageField]:
    wanted, new = request.object_id, request.new
    if new is not None:
        found = ObjectId.of(new)
        if (found.group, found.kind) != (wanted.group, wanted.kind):
            raise InputError(
                f"the review is about {wanted.kind!r} of group {wanted.group!r}, its object is"
                f" {found.kind!r} of group {found.group!r}"
            )
    return image_fields(wanted.group, wanted.kind, new)


def _unchanged(request: AdmissionRequest, fields: list[ImageField]) -> bool:
    """
    Whether every slot holds the image it held: one difference and all are judged.

    Slot by slot, so that swapping two images is a change; an ambiguous slot is never unchanged.
    """
    try:
        before = slots(image_fields(request.object_id.group, request.object_id.kind, request.old))
    except InputError:
        return False
    return before is not None and before == slots(fields)


def _judge(
    verifier: Verifier, place: Place, field: ImageField, now: datetime, deadline: Deadline
) -> Decision:
    try:
        image = ImageRef.parse(field.image)
    except InputError as error:
        decision = refuse(
            Code.IMAGE_INVALID,
            str(error),
            field.image,
            enforcement_at(verifier.policy, place),
            places_at(verifier.policy, place),
            fix="write HOST/REPOSITORY@sha256:...",
        )
    else:
        decision = verifier.decide(image, place, now=now, deadline=deadline)
    return decision.at(field.path)


def _admitted(verifier: Verifier, place: Place, note: Code) -> Decision:
    policy = verifier.policy
    places = places_at(policy, place)
    return Decision(Answer.ADMITTED, enforcement_at(policy, place), places, notes=(note,))


def _undetermined(verifier: Verifier, place: Place, code: Code, message: str) -> Decision:
    policy = verifier.policy
    enforcement, places = enforcement_at(policy, place), places_at(policy, place)
    return refuse(code, message, "", enforcement, places, answer=Answer.UNDETERMINED)
