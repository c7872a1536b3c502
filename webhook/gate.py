"""One review, judged: the composition of policy in force, deadline, decision, log and metrics."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from stagepass import log
from stagepass.admission import judge_object
from stagepass.decision import Answer, Code, Decision, Enforcement
from stagepass.evidence import Deadline
from stagepass.journal import Journal
from stagepass.policy.refusals import refuse
from stagepass.review import AdmissionRequest
from stagepass.verifier import Verifier
from webhook import answers, metrics
from webhook.policies import Policies
from webhook.records import Records
from webhook.worker import waited

# What is left of the API server's own timeout after its round trip and our writing of the answer.
_SHARE_OF_TIMEOUT = 0.8


class Gate:
    """Answers reviews for one cluster. Thread-safe."""

    def __init__(
        self, cluster: str, policies: Policies, deadline: float, journal: Journal | None = None
    ) -> None:
        self._cluster, self._policies, self._deadline = cluster, policies, deadline
        self._records = Records(cluster, journal)

    def answer(self, body: bytes, timeout: float | None) -> bytes:
        """
        The AdmissionReview that answers `body`. Raises `InputError` where that is no review.

        `timeout` is what the caller grants, in seconds; ours ends before it, so that a slow registry
        becomes an explicit refusal and not a failed call. The wait for a thread is part of it.
        """
        started = time.perf_counter()
        granted = (
            self._deadline if timeout is None else min(self._deadline, timeout * _SHARE_OF_TIMEOUT)
        )
        if (late := waited()) >= granted:
            metrics.OVERDUE.inc()
        deadline = Deadline.after(granted - late)
        request = AdmissionRequest.parse(body)
        # Taken once: the whole review, its log line and its answer are of one set.
        verifier = self._policies.verifier
        revision = verifier.policy.revision if verifier else ""
        decision = self._judge(verifier, request, deadline)
        took = time.perf_counter() - started
        policy = verifier.policy if verifier else None
        self._records.keep(request, decision, policy, took, cold=deadline.used)
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


def _undetermined(code: Code, message: str) -> Decision:
    text = f"could not find out: {message}"
    return refuse(code, text, "", Enforcement.ENFORCE, answer=Answer.UNDETERMINED)
