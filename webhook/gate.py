"""One review, judged: the composition of policy in force, deadline, decision, log and metrics."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from stagepass import log
from stagepass.admission import judge_object
from stagepass.decision import Answer, Code, Decision, Enforcement
from stagepass.evidence import Deadline
from stagepass.policy.refusals import refuse
from stagepass.review import AdmissionRequest
from stagepass.verifier import Verifier
from webhook import answers, metrics
from webhook.policies import Policies

# What is left of the API server's own timeout after its round trip and our writing of the answer.
_SHARE_OF_TIMEOUT = 0.8
# The longest that can be an image reference: what is none is not worth a line of megabytes.
_MAX_IMAGE = 512


class Gate:
    """Answers reviews for one cluster. Thread-safe."""

    def __init__(self, cluster: str, policies: Policies, deadline: float) -> None:
        self._cluster, self._policies, self._deadline = cluster, policies, deadline

    def answer(self, body: bytes, timeout: float | None) -> bytes:
        """
        The AdmissionReview that answers `body`. Raises `InputError` where that is no review.

        `timeout` is what the caller grants, in seconds; ours ends before it, so that a slow registry
        becomes an explicit refusal and not a failed call.
        """
        started = time.perf_counter()
        granted = (
            self._deadline if timeout is None else min(self._deadline, timeout * _SHARE_OF_TIMEOUT)
        )
        deadline = Deadline.after(granted)
        request = AdmissionRequest.parse(body)
        # Taken once: the whole review, its log line and its answer are of one set.
        verifier = self._policies.verifier
        revision = verifier.policy.revision if verifier else ""
        decision = self._judge(verifier, request, deadline)
        took = time.perf_counter() - started
        self._record(request, decision, revision, took)
        return answers.review(request.uid, decision, revision)

    def _judge(
        self, verifier: Verifier | None, request: AdmissionRequest, deadline: Deadline
    ) -> Decision:
        if verifier is None:
            return _undetermined(Code.POLICY_INVALID, "no policy set has loaded yet")
        try:
            return judge_object(
                verifier, self._cluster, request, now=datetime.now(UTC), deadline=deadline
            )
        except Exception:  # whatever it is, the caller gets an explicit refusal and we get a trace
            log.exception("decision.failed", uid=request.uid)
            return _undetermined(Code.INTERNAL, "an internal error; the gate's log has the trace")

    def _record(
        self, request: AdmissionRequest, decision: Decision, revision: str, took: float
    ) -> None:
        metrics.DECISION_SECONDS.observe(took)
        for pipeline, stage in decision.places or (("", ""),):
            place = f"{pipeline}/{stage}" if stage else "unlisted"
            labels = (place, str(decision.answer), str(decision.allowed).lower())
            metrics.DECISIONS.labels(*labels).inc()
        for violation in decision.violations:
            metrics.VIOLATIONS.labels(str(violation.code)).inc()
        identity = request.object_id
        log.info(
            "decision",
            uid=request.uid,
            operation=request.operation,
            object=f"{identity.group}/{identity.kind}/{identity.namespace}/{identity.name}",
            cluster=self._cluster,
            places=[f"{p}/{s}" for p, s in decision.places],
            answer=str(decision.answer),
            enforcement=str(decision.enforcement),
            allowed=decision.allowed,
            violations=[f"{v.code} {v.path} {v.image[:_MAX_IMAGE]}" for v in decision.violations],
            notes=list(decision.notes),
            notices=list(decision.notices),
            evidence=sorted({m.payload_digest for m in decision.met}),
            policy_revision=revision,
            took_ms=round(took * 1000, 2),
        )


def _undetermined(code: Code, message: str) -> Decision:
    text = f"could not find out: {message}"
    return refuse(code, text, "", Enforcement.ENFORCE, answer=Answer.UNDETERMINED)
