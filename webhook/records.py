"""What is kept of a decision: counts, one log line, and one line of the journal where there is one."""

from __future__ import annotations

from functools import cache
from typing import Any

from prometheus_client import Counter

from stagepass import log
from stagepass.decision import Answer, Decision
from stagepass.journal import Journal
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import kind_text
from stagepass.review import AdmissionRequest
from webhook import denials, metrics
from webhook.answers import one_line

# The longest that can be an image reference: what is none is not worth a line of megabytes.
_MAX_IMAGE = 512
_MAX_USER = 256


class Records:
    """Where decisions are told. Thread-safe."""

    def __init__(self, cluster: str, journal: Journal | None = None) -> None:
        self._cluster, self._journal = cluster, journal
        self._failing = False

    def keep(
        self,
        request: AdmissionRequest,
        decision: Decision,
        policy: PolicySet | None,
        seconds: float,
        *,
        cold: bool,
    ) -> None:
        """Count and write down one decision by `policy`. `seconds`: it took; `cold`: it sought evidence."""
        (metrics.COLD_SECONDS if cold else metrics.WARM_SECONDS).observe(seconds)
        _count(decision)
        revision = policy.revision if policy else ""
        if policy and (refused := denials.denied_manifests(decision)):
            for pipeline, stage in {(v.pipeline, v.stage) for v in refused}:
                kind = _kind(policy, pipeline, stage, request.object_id)
                metrics.MANIFEST_DENIALS.labels(pipeline, stage, kind).inc()
            denials.keep(request, self._cluster, revision, refused)
        facts = self._facts(request, decision, revision)
        link = {"journal": digest} if (digest := self._write(facts)) else {}
        log.info("decision", **facts, took_ms=round(seconds * 1000, 2), **link)

    def _write(self, facts: dict[str, Any]) -> str:
        """The hash of the journal's new line, "" for none: a full disk changes no verdict (V61)."""
        if self._journal is None:
            return ""
        try:
            digest = self._journal.append(facts)
        except OSError as error:
            metrics.JOURNAL_FAILURES.inc()
            if not self._failing:
                log.error("journal.failed", error=str(error))
            self._failing = True
            return ""
        if self._failing:
            log.info("journal.works")
        self._failing = False
        return digest

    def _facts(
        self, request: AdmissionRequest, decision: Decision, revision: str
    ) -> dict[str, Any]:
        identity = request.object_id
        return {
            "uid": request.uid,
            "user": one_line(request.user, _MAX_USER),
            "operation": request.operation,
            "object": f"{identity.group}/{identity.kind}/{identity.namespace}/{identity.name}",
            "cluster": self._cluster,
            "places": [f"{p}/{s}" for p, s in decision.places],
            "answer": str(decision.answer),
            "enforcement": str(decision.enforcement),
            "allowed": decision.allowed,
            "violations": [
                f"{v.code} {v.path} {v.image[:_MAX_IMAGE]}" for v in decision.violations
            ],
            "notes": list(decision.notes),
            "notices": list(decision.notices),
            "evidence": sorted({m.payload_digest for m in decision.met}),
            "releases": list(decision.releases),
            "policy_revision": revision,
        }


def _count(decision: Decision) -> None:
    for pipeline, stage in decision.places or (("", ""),):
        place = f"{pipeline}/{stage}" if stage else "unlisted"
        _counter(place, decision.answer, decision.allowed).inc()
    for note in decision.notes:
        metrics.NOTES.labels(str(note)).inc()
    for violation in decision.violations:
        metrics.VIOLATIONS.labels(str(violation.code)).inc()


def _kind(policy: PolicySet, pipeline: str, stage: str, about: ObjectId) -> str:
    """As the stage's policy names it: what a request could choose is no label (V60)."""
    found = (about.group, about.kind)
    rules = (
        each.release
        for of in policy.pipelines
        for each in of.stages
        if (of.name, each.name) == (pipeline, stage)
    )
    return kind_text(found) if any(r is not None and found in r.kinds for r in rules) else "other"


# As many as there are places in policy sets so far: prometheus_client keeps each of them anyway.
@cache
def _counter(place: str, answer: Answer, allowed: bool) -> Counter:
    return metrics.DECISIONS.labels(place, str(answer), str(allowed).lower())
