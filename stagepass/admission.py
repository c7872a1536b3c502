"""
One Kubernetes object in one cluster: which images it runs, and whether each may run there.

The webhook gives it what an API server asks, `stagepass admit` what a file holds: the same question.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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
_AT_A_TIME = 8


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
        lambda: _judge_all(verifier, place, fields, now, deadline),
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


def _judge_all(
    verifier: Verifier, place: Place, fields: list[ImageField], now: datetime, deadline: Deadline
) -> Decision:
    """Each image once, several at a time: one after another, 55 of them at 50 ms would take 8 s."""
    images = list(dict.fromkeys(field.image for field in fields))
    if len(images) == 1:
        decided = {images[0]: _judge(verifier, place, images[0], now, deadline)}
    else:
        with ThreadPoolExecutor(min(_AT_A_TIME, len(images)), "images") as pool:
            pending = {i: pool.submit(_judge, verifier, place, i, now, deadline) for i in images}
        decided = {image: future.result() for image, future in pending.items()}
    return combine([decided[field.image].at(field.path) for field in fields])


def _judge(
    verifier: Verifier, place: Place, text: str, now: datetime, deadline: Deadline
) -> Decision:
    try:
        image = ImageRef.parse(text)
    except InputError as error:
        policy = verifier.policy
        enforcement, places = enforcement_at(policy, place), places_at(policy, place)
        fix = "write HOST/REPOSITORY@sha256:..."
        return refuse(Code.IMAGE_INVALID, str(error), text, enforcement, places, fix=fix)
    return verifier.decide(image, place, now=now, deadline=deadline)


def _admitted(verifier: Verifier, place: Place, note: Code) -> Decision:
    policy = verifier.policy
    places = places_at(policy, place)
    return Decision(Answer.ADMITTED, enforcement_at(policy, place), places, notes=(note,))


def _undetermined(verifier: Verifier, place: Place, code: Code, message: str) -> Decision:
    policy = verifier.policy
    enforcement, places = enforcement_at(policy, place), places_at(policy, place)
    return refuse(code, message, "", enforcement, places, answer=Answer.UNDETERMINED)
