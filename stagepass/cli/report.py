"""How decisions are shown: one JSON line per object for machines, a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from stagepass.clock import format_time
from stagepass.decision import Answer, Decision, Violation
from stagepass.digest import ImageRef
from stagepass.errors import Unavailable
from stagepass.foreseen import Foreseen
from stagepass.manifest import ObjectId

IMAGE_KIND = "Image"
"""The kind under which a bare image is reported; no Kubernetes object has it."""

EXIT_CODES = {Answer.ADMITTED: 0, Answer.DENIED: 1, Answer.UNDETERMINED: 2}
_COLOURS = {Answer.ADMITTED: "green", Answer.DENIED: "red", Answer.UNDETERMINED: "yellow"}


@dataclass(frozen=True, slots=True)
class Judged:
    """One object and its decision. `source` is the file or argument it came from."""

    source: str
    object_id: ObjectId
    decision: Decision
    foreseen: Foreseen | None = None


def judged_image(image: ImageRef, namespace: str, decision: Decision) -> Judged:
    """A bare image, as `verify`, `explain` and `attest` report it."""
    return Judged(str(image), ObjectId("", IMAGE_KIND, namespace, str(image)), decision)


def exit_code(decisions: Sequence[Decision]) -> int:
    """Of several, the worst: denied, then undetermined, then admitted."""
    return EXIT_CODES[max(d.answer for d in decisions)]


def show(judged: Sequence[Judged], *, output: str, revision: str) -> int:
    """Print everything and return the exit code."""
    for item in judged:
        if output == "json":
            click.echo(json.dumps(to_json(item, revision)))
        else:
            _show_text(item)
    return exit_code([item.decision for item in judged])


def to_json(item: Judged, revision: str) -> dict[str, Any]:
    """The line of DESIGN section 9: adding a member is free, changing one is a breaking change."""
    decision = item.decision
    return {
        "input": item.source,
        "object": {
            "group": item.object_id.group,
            "kind": item.object_id.kind,
            "namespace": item.object_id.namespace,
            "name": item.object_id.name,
        },
        "places": [{"pipeline": p, "stage": s} for p, s in decision.places],
        "decision": str(decision.answer),
        "enforcement": str(decision.enforcement),
        "allowed": decision.allowed,
        "violations": [violation_json(v) for v in decision.violations],
        "warnings": list(decision.warnings),
        "notes": [str(note) for note in decision.notes],
        "required": decision.required,
        "met": len(decision.met),
        "policyRevision": revision,
        "evidence": [
            {
                "predicateType": m.predicate_type,
                "signer": m.signer,
                "payloadDigest": m.payload_digest,
            }
            for m in decision.met
        ],
        "releases": list(decision.releases),
        **({} if item.foreseen is None else foreseen_json(item.foreseen)),
    }


def foreseen_json(foreseen: Foreseen) -> dict[str, str | None]:
    """When the clock alone changes the decision, null where it does not."""
    until, ends = foreseen.until, foreseen.admitted_until
    return {
        "until": format_time(until) if until else None,
        "admittedUntil": format_time(ends) if ends else None,
    }


def until_text(foreseen: Foreseen | None) -> list[str]:
    """From when a denied image would be admitted; nothing where only evidence helps."""
    if foreseen is None or foreseen.until is None:
        return []
    return [f"admitted from {format_time(foreseen.until)}, on the same evidence"]


def violation_json(violation: Violation) -> dict[str, str]:
    """Every member of a violation."""
    return {
        "code": str(violation.code),
        "path": violation.path,
        "image": violation.image,
        "pipeline": violation.pipeline,
        "stage": violation.stage,
        "requirement": violation.requirement,
        "message": violation.message,
        "fix": violation.fix,
    }


def printable(text: str) -> str:
    """`text` on one line, without what a terminal would obey (CVE-2021-25743)."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def named(image: ImageRef) -> str:
    """An image by its digest alone."""
    return f"{image.name}@{image.digest}"


def tell(failures: Sequence[Unavailable]) -> int:
    """Say what could not be read or written, and the exit code: undetermined for any, else 0."""
    for failure in failures:
        text = f"could not find out: {failure.code}: {printable(failure.message)}"
        click.secho(text, err=True, fg="yellow")
    return EXIT_CODES[Answer.UNDETERMINED if failures else Answer.ADMITTED]


def answer_text(decision: Decision) -> str:
    """`denied`, in its colour, with what enforcement makes of it."""
    text = click.style(str(decision.answer), fg=_COLOURS[decision.answer], bold=True)
    if decision.answer is not Answer.ADMITTED and decision.allowed:
        return f"{text} (allowed: enforcement is {decision.enforcement})"
    return text


def _show_text(item: Judged) -> None:
    identity, decision = item.object_id, item.decision
    bare = identity.kind == IMAGE_KIND
    name = item.source if bare else f"{identity.kind} {identity.namespace}/{identity.name}"
    places = ", ".join(f"{p}/{s}" for p, s in decision.places)
    click.echo(f"{answer_text(decision)}  {printable(name)}" + (f"  [{places}]" if places else ""))
    if decision.answer is Answer.ADMITTED:
        notes = f" ({', '.join(decision.notes)})" if decision.notes else ""
        click.echo(f"  {len(decision.met)} of {decision.required} requirements met{notes}")
    for notice in decision.notices:
        click.echo(f"  {click.style('note', fg='yellow', bold=True)} {printable(notice)}")
    for violation in decision.unmet:
        where = f"{violation.path}: " if violation.path else ""
        code = click.style(violation.code, bold=True)
        click.echo(f"  {code} {where}{printable(violation.message)}")
    for line in until_text(item.foreseen):
        click.echo(f"  {line}")
    for fix in dict.fromkeys(v.fix for v in decision.violations if v.fix):
        click.echo(f"  fix: {fix}")
