"""A `Decision` as the AdmissionReview an API server wants: the only place that knows its shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from stagepass import strictjson
from stagepass.decision import Answer, Decision, Violation
from stagepass.review import API_VERSION

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
# The API server drops a warning with a control character without a trace, and cuts long ones.
_MAX_WARNING = 256
_MAX_ANNOTATION = 2048
# The longest that can be an image reference; what is none is cut and without control characters.
_MAX_IMAGE = 512
_MAX_IMAGES_SHOWN = 3


def review(uid: str, decision: Decision, revision: str) -> bytes:
    """
    The body of the answer to the review `uid`.

    A denial is 403 Forbidden. *Undetermined* is 503 without Retry-After, so that nobody takes it for
    a verdict; never 429, which kubectl retries ten times in silence.
    """
    response: dict[str, Any] = {
        "uid": uid,
        "allowed": decision.allowed,
        "auditAnnotations": _annotations(uid, decision, revision),
    }
    if warnings := [one_line(f"stagepass: {text}", _MAX_WARNING) for text in decision.warnings]:
        response["warnings"] = warnings
    if not decision.allowed:
        denied = decision.answer is Answer.DENIED
        response["status"] = {
            "status": "Failure",
            "code": 403 if denied else 503,
            "reason": "Forbidden" if denied else "ServiceUnavailable",
            "message": message(decision),
            "details": {"causes": [_cause(v) for v in decision.told(decision.violations)]},
        }
    return strictjson.dumps(
        {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    )


def message(decision: Decision) -> str:
    """
    What a person sees: image and stage, what is missing, how to fix it.

    At most four lines for one image; of several, the first three and how many more.
    """
    by_image = [
        list(group) for _, group in groupby(decision.unmet, key=lambda v: (v.path, v.image))
    ]
    lines = [
        line for group in by_image[:_MAX_IMAGES_SHOWN] for line in _about_image(decision, group)
    ]
    if len(by_image) > _MAX_IMAGES_SHOWN:
        lines.append(f"and {len(by_image) - _MAX_IMAGES_SHOWN} more images")
    return "\n".join(lines)


def _about_image(decision: Decision, violations: list[Violation]) -> Iterable[str]:
    first = violations[0]
    places = ", ".join(dict.fromkeys(f"{v.pipeline}/{v.stage}" for v in violations if v.stage))
    verb = "does not admit" if decision.answer is Answer.DENIED else "could not find out about"
    where = f" ({first.path})" if first.path else ""
    image = one_line(first.image, _MAX_IMAGE) or "this object"
    yield f"{places or 'the gate'} {verb} {image}{where}"
    reasons = dict.fromkeys(f"{v.code}: {v.message}" for v in violations)
    yield "; ".join(one_line(reason, 1024) for reason in reasons)
    fixes = list(dict.fromkeys(v.fix for v in violations if v.fix))
    if fixes:
        yield f"fix: {fixes[0]}" + (f" (and {len(fixes) - 1} more)" if fixes[1:] else "")
    if first.stage and fixes[1:]:
        place = f"--stage {first.stage} --pipeline {first.pipeline}"
        yield f"all: stagepass explain {image} {place} --policy DIR"


def _cause(violation: Violation) -> dict[str, str]:
    return {
        "reason": str(violation.code),
        "message": violation.message,
        "field": violation.path or violation.requirement,
    }


def _annotations(uid: str, decision: Decision, revision: str) -> dict[str, str]:
    facts = {
        "decision": str(decision.answer),
        "decision-id": uid,
        "enforcement": str(decision.enforcement),
        "requirements": f"{len(decision.met)} of {decision.required} met"
        if decision.required
        else "",
        "policy-revision": revision,
        "codes": ",".join(dict.fromkeys([*(v.code for v in decision.violations), *decision.notes])),
        "evidence": ",".join(dict.fromkeys(m.payload_digest for m in decision.met)),
        "releases": ",".join(decision.releases),
    }
    return {name: one_line(text, _MAX_ANNOTATION) for name, text in facts.items() if text}


def one_line(text: str, limit: int) -> str:
    """`text` for a terminal or a log: no control characters, at most `limit` long."""
    line = text if text.isprintable() else _CONTROL.sub(" ", text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
