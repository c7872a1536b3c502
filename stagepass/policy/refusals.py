"""Decisions that no evidence could have changed: one reason, stated once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from stagepass.clock import format_time
from stagepass.decision import Answer, Code, Decision, Enforcement, Violation
from stagepass.digest import ImageRef
from stagepass.policy.model import Exemption, PolicySet
from stagepass.stage import Place


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
    """Not admitted, for one reason, in each of `places`."""
    names = places or (("", ""),)
    violations = tuple(Violation("", str(image), p, s, "", code, message, fix) for p, s in names)
    return Decision(answer, enforcement, places=places, violations=violations)


def enforcement_at(policy: PolicySet, place: Place) -> Enforcement:
    """What a refusal in `place` leads to before a pipeline is known: the strictest of its stages."""
    if place.cluster not in policy.clusters():
        return Enforcement.ENFORCE
    return max((stage.enforcement for _, stage in policy.at(place)), default=policy.unlisted)


def places_at(policy: PolicySet, place: Place) -> tuple[tuple[str, str], ...]:
    """(pipeline, stage) of every stage that names `place`, sorted."""
    return tuple(sorted((pipeline.name, stage.name) for pipeline, stage in policy.at(place)))


def unlisted(policy: PolicySet, image: ImageRef, place: Place) -> Decision:
    """No pipeline covers this image in this place."""
    places = places_at(policy, place)
    if place.cluster not in policy.clusters():
        message = f"no stage names the cluster {place.cluster!r}"
        fix = "name it in a stage's clusters, or correct the gate's own cluster setting"
    elif not places:
        message = f"no stage names the namespace {place.namespace!r} of cluster {place.cluster!r}"
        fix = "name it in a stage's namespaces"
    else:
        message = f"no pipeline of {place} covers this image"
        fix = "add its repository to a pipeline's images"
    return refuse(Code.UNLISTED, message, image, enforcement_at(policy, place), places, fix=fix)


def exemption(policy: PolicySet, image: ImageRef, place: Place, now: datetime) -> Exemption | None:
    """The exemption that holds for `image` in `place`, of several the longest; in no unknown cluster."""
    if place.cluster not in policy.clusters():
        return None
    holding = (e for e in policy.exempt if e.applies(image, place, now))
    return max(holding, key=lambda e: (e.expires, e.reason), default=None)


def exempted(policy: PolicySet, place: Place, exemption: Exemption, now: datetime) -> Decision:
    """Admitted without evidence. Never kept in a cache: the warning must repeat."""
    until = format_time(exemption.expires)
    return Decision(
        Answer.ADMITTED,
        enforcement_at(policy, place),
        places=places_at(policy, place),
        notes=(Code.EXEMPT,),
        notices=(f"exempt until {until}: {exemption.reason}",),
        valid_until=now,
    )


def not_known(decision: Decision, pipelines: set[str]) -> Decision:
    """
    What could not be read is no denial: if nothing else is missing, the answer is not known.

    Break-glass has been looked for by then, and would have admitted.
    """
    mine = [
        v for v in decision.violations if v.requirement == "manifest" and v.pipeline in pipelines
    ]
    if not mine:
        return decision
    rest = [v for v in decision.violations if v not in mine]
    answer = Answer.DENIED if rest and decision.answer is Answer.DENIED else Answer.UNDETERMINED
    told = (replace(v, requirement="") for v in mine)
    return replace(decision, answer=answer, violations=tuple(sorted({*rest, *told})))
