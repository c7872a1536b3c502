"""
Whether a rendered version may be applied here: the webhook's own decision, over every object of it.

Nothing is laundered: what was let in by break-glass, an exemption or a lenient enforcement is applied,
and never signed for (DESIGN section 8.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from applier.application import Application
from applier.failure import Failure, Reason
from applier.rules import Object, identity
from stagepass.admission import judge_object
from stagepass.decision import Answer, Code, Decision
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.manifest import ObjectId, image_fields
from stagepass.review import AdmissionRequest
from stagepass.verifier import Verifier

_SECONDS = 30.0
_ORDINARY = {Code.NO_IMAGES}
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Decided:
    """
    A version that may be applied.

    `native`: by the evidence alone. `images` are (image, digest, namespace) of the pipeline's own
    images, which receipts and passes are about.
    """

    native: bool
    images: tuple[tuple[ImageRef, Digest, str], ...]


def decide(
    application: Application, verifier: Verifier, objects: Sequence[Object], now: datetime
) -> Decided:
    """Raises `Failure`: NOT_ADMITTED, with the moment the clock may change that; or UNDETERMINED."""
    deadline = Deadline.after(_SECONDS)
    decisions = [
        (found, _judge(application, verifier, found, document, now, deadline))
        for document in objects
        for found in (ObjectId.of(document),)
    ]
    refused = [(found, d) for found, d in decisions if not d.allowed]
    if refused:
        raise _failure(application, refused, now)
    native = all(d.answer is Answer.ADMITTED and set(d.notes) <= _ORDINARY for _, d in decisions)
    return Decided(native, images_of(application, objects))


def images_of(
    application: Application, objects: Sequence[Object]
) -> tuple[tuple[ImageRef, Digest, str], ...]:
    """(image, digest, namespace) of the pipeline's own images, each once."""
    return tuple(dict.fromkeys(_images(application, objects)))


def _judge(
    application: Application,
    verifier: Verifier,
    found: ObjectId,
    document: Object,
    now: datetime,
    deadline: Deadline,
) -> Decision:
    request = AdmissionRequest(identity(found), "CREATE", found, document, None)
    return judge_object(verifier, application.cluster, request, now=now, deadline=deadline)


def _failure(
    application: Application, refused: Sequence[tuple[ObjectId, Decision]], now: datetime
) -> Failure:
    unknown = all(d.answer is Answer.UNDETERMINED for _, d in refused)
    said = (
        f"{identity(found)}: {v.code}: {v.message}" + (f" ({v.image})" if v.image else "")
        for found, d in refused
        for v in d.unmet
    )
    lines = list(dict.fromkeys(said))
    more = f"; and {len(lines) - _MAX_SHOWN} more" if len(lines) > _MAX_SHOWN else ""
    closed = [w for w in application.stage.windows if w.denies(now)]
    codes = {v.code for _, d in refused for v in d.unmet}
    wakes = None
    if Code.WINDOW_CLOSED in codes:
        wakes = max((w.next_change(now) for w in closed), default=None)
    return Failure(
        Reason.UNDETERMINED if unknown else Reason.NOT_ADMITTED,
        "; ".join(lines[:_MAX_SHOWN]) + more,
        objects=[identity(found) for found, _ in refused],
        wakes=wakes,
    )


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
