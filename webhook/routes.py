"""What is asked beside reviews: is it alive, is it ready, how does it do."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app

from stagepass import strictjson
from webhook.exposition import render
from webhook.policies import Policies
from webhook.selfcheck import SelfCheck
from webhook.settings import Settings

routes = Blueprint("stagepass", __name__)


@routes.get("/healthz")
def healthz() -> Response:
    """The process answers; a kubelet restarts it where it does not."""
    return _json(strictjson.dumps({"status": "ok"}))


@routes.get("/readyz")
def readyz() -> Response:
    """Ready when a policy is in force and evidence is judged right; `problem` tells of a stale set."""
    policies: Policies = current_app.extensions["stagepass.policies"]
    check: SelfCheck = current_app.extensions["stagepass.selfcheck"]
    verifier, sound = policies.verifier, check.passes()
    ready = verifier is not None and sound
    detail = {
        "ready": ready,
        "policyRevision": verifier.policy.revision if verifier else None,
        "problem": policies.problem or ("" if sound else "the self-check fails"),
    }
    return _json(strictjson.dumps(detail), 200 if ready else 503)


@routes.get("/metrics")
def metrics_text() -> Response:
    """All workers' metrics; 404 where they have a listener of their own."""
    settings: Settings = current_app.extensions["stagepass.settings"]
    if settings.metrics_bind:
        abort(404)
    text, content_type = render(settings.tls_directory)
    return Response(text, content_type=content_type)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type="application/json")
