"""
One Kubernetes object in one cluster: which images it runs, and whether each may run there.

The webhook gives it what an API server asks, `stagepass admit` what a file holds: the same question.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stagepass.decision import Answer, Code, Decision, combine
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.judging_images import judge_images
from stagepass.judging_manifests import Scope, judge_manifest, scopes
from stagepass.manifest import ImageField, ObjectId, image_fields, slots
from stagepass.manifests.compare import signed_digest, unchanged
from stagepass.policy.model import PolicySet
from stagepass.policy.refusals import enforcement_at, places_at, refuse
from stagepass.review import AdmissionRequest
from stagepass.stage import Place
from stagepass.unknown_images import UnknownField, unknown_fields
from stagepass.verifier import Verifier

# 22,000 images fit into one request and took 4 s; no real Pod has a hundredth of that.
MAX_IMAGES = 500
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
    judging = scopes(verifier.policy, place, request)
    if not fields and not unknown and not judging:
        return _admitted(verifier, place, Code.NO_IMAGES)
    if judging and (problem := _incomparable(request)):
        return _undetermined(verifier, place, Code.OBJECT_INVALID, problem)
    if request.operation == "UPDATE" and _unchanged(
        verifier.policy, request, fields, unknown, judging
    ):
        return _admitted(verifier, place, Code.UNCHANGED)
    if (count := len(fields) + len(unknown)) > MAX_IMAGES:
        message = f"could not find out: {count} images; at most {MAX_IMAGES} are judged"
        return _undetermined(verifier, place, Code.EVIDENCE_LIMIT, message)

    def judge() -> Decision:
        if not judging:
            return judge_images(verifier, place, fields, now, deadline)
        found = judge_manifest(verifier, place, request, fields, judging, now, deadline)
        return found or _admitted(verifier, place, Code.NO_IMAGES)

    if unknown:
        judged = [judge()] if fields or judging else []
        return combine([*judged, *(_unknown(verifier, place, field) for field in unknown)])
    content = signed_digest(request.new or {}, created=request.creates) if judging else ""
    if content is None:  # what has no canonical form equals nothing, and is not kept
        return judge()
    key = (
        (place, tuple(fields), request.object_id.name, content)
        if judging
        else (place, tuple(fields))
    )
    return verifier.remembered(key, now, deadline, judge)


def _check_kind(request: AdmissionRequest) -> None:
    wanted, new = request.object_id, request.new
    if new is not None:
        found = ObjectId.of(new)
        if (found.group, found.kind) != (wanted.group, wanted.kind):
            raise InputError(
                f"the review is about {wanted.kind!r} of group {wanted.group!r}, its object is"
                f" {found.kind!r} of group {found.group!r}"
            )


def _incomparable(request: AdmissionRequest) -> str:
    """Why an object is compared with no release, "" where it is: no API server sends such."""
    if request.new is None:
        return "the review has no object"
    here, found = request.object_id.namespace, ObjectId.of(request.new).namespace
    return "" if found in ("", here) else f"an object of {found!r} in a review about {here!r}"


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
    judging: tuple[Scope, ...],
) -> bool:
    """
    Whether every slot holds the image it held: one difference and all are judged.

    Where manifests are judged, nothing that a release says may have changed either.

    Slot by slot, so that swapping two images is a change; an ambiguous slot is never unchanged. A
    field that only looks like an image counts as one.
    """
    try:
        old_fields, old_unknown = _read(policy, request.object_id, request.old)
        if judging and not unchanged(request.old or {}, request.new or {}):
            return False
    except InputError:
        return False
    before = slots(old_fields)
    return before is not None and before == slots(fields) and old_unknown == unknown


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
