"""
One Kubernetes object in one cluster: which images it runs, and whether each may run there.

The webhook gives it what an API server asks, `stagepass admit` what a file holds: the same question.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from stagepass.decision import Answer, Code, Decision, combine
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.manifest import ImageField, ObjectId, image_fields, slots
from stagepass.policy.model import PolicySet
from stagepass.policy.refusals import enforcement_at, places_at, refuse
from stagepass.review import AdmissionRequest
from stagepass.stage import Place
from stagepass.unknown_images import UnknownField, unknown_fields
from stagepass.verifier import Verifier

# 22,000 images fit into one request and took 4 s; no real Pod has a hundredth of that.
MAX_IMAGES = 500
_AT_A_TIME = 8
_MAX_PATH = 256


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

    Nothing but the operation, the kind, the images, what looks like one and the place is looked at:
    not the user, owners, labels, deletionTimestamp or dry run, each of which has let something past
    another gate.
    """
    place = Place(cluster, request.object_id.namespace)
    if request.operation in ("DELETE", "CONNECT"):
        return _admitted(verifier, place, Code.NO_IMAGES)
    try:
        _check_kind(request)
        fields, unknown = _read(verifier.policy, request.object_id, request.new)
    except InputError as error:
        return _undetermined(verifier, place, Code.OBJECT_INVALID, str(error))
    if not fields and not unknown:
        return _admitted(verifier, place, Code.NO_IMAGES)
    if request.operation == "UPDATE" and _unchanged(verifier.policy, request, fields, unknown):
        return _admitted(verifier, place, Code.UNCHANGED)
    if (count := len(fields) + len(unknown)) > MAX_IMAGES:
        message = f"could not find out: {count} images; at most {MAX_IMAGES} are judged"
        return _undetermined(verifier, place, Code.EVIDENCE_LIMIT, message)
    if unknown:
        judged = [_judge_all(verifier, place, fields, now, deadline)] if fields else []
        return combine([*judged, *(_unknown(verifier, place, field) for field in unknown)])
    return verifier.remembered(
        (place, tuple(fields)),
        now,
        deadline,
        lambda: _judge_all(verifier, place, fields, now, deadline),
    )


def _check_kind(request: AdmissionRequest) -> None:
    wanted, new = request.object_id, request.new
    if new is not None:
        found = ObjectId.of(new)
        if (found.group, found.kind) != (wanted.group, wanted.kind):
            raise InputError(
                f"the review is about {wanted.kind!r} of group {wanted.group!r}, its object is"
                f" {found.kind!r} of group {found.group!r}"
            )


def _read(
    policy: PolicySet, about: ObjectId, document: Mapping[str, Any] | None
) -> tuple[list[ImageField], list[UnknownField]]:
    """The images of an object, and what looks like one. Raises `InputError`."""
    custom = policy.custom_resources
    fields = image_fields(about.group, about.kind, document, custom)
    return fields, unknown_fields(about.group, about.kind, document, policy.csi_drivers, custom)


def _unchanged(
    policy: PolicySet,
    request: AdmissionRequest,
    fields: list[ImageField],
    unknown: list[UnknownField],
) -> bool:
    """
    Whether every slot holds the image it held: one difference and all are judged.

    Slot by slot, so that swapping two images is a change; an ambiguous slot is never unchanged. A
    field that only looks like an image counts as one.
    """
    try:
        old_fields, old_unknown = _read(policy, request.object_id, request.old)
    except InputError:
        return False
    before = slots(old_fields)
    return before is not None and before == slots(fields) and old_unknown == unknown


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


def _unknown(verifier: Verifier, place: Place, field: UnknownField) -> Decision:
    """Denied: what a field that nothing here can judge brings in runs unjudged."""
    policy = verifier.policy
    enforcement, places = enforcement_at(policy, place), places_at(policy, place)
    message = "looks as if it named an image, in a field that cannot be judged"
    fix = "leave the field out"
    if ".csi." in field.path:
        fix += ", or name the driver in the policy's csiDrivers"
    image = field.value if isinstance(field.value, str) else ""
    refused = refuse(Code.IMAGE_INVALID, message, image, enforcement, places, fix=fix)
    # Member names of the author's choice: nothing of theirs may forge a line, or fill one.
    path = "".join(c if c.isprintable() else "?" for c in field.path[:_MAX_PATH])
    return refused.at(path)


def _admitted(verifier: Verifier, place: Place, note: Code) -> Decision:
    policy = verifier.policy
    places = places_at(policy, place)
    return Decision(Answer.ADMITTED, enforcement_at(policy, place), places, notes=(note,))


def _undetermined(verifier: Verifier, place: Place, code: Code, message: str) -> Decision:
    policy = verifier.policy
    enforcement, places = enforcement_at(policy, place), places_at(policy, place)
    return refuse(code, message, "", enforcement, places, answer=Answer.UNDETERMINED)
