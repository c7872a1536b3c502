"""The composition root: settings to a flask application."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from stagepass import log, strictjson
from stagepass.breaker import Breaker
from stagepass.cache import DecisionCache
from stagepass.diskcache import EvidenceCache
from stagepass.errors import InputError, StagepassError
from stagepass.evidence import DirectorySource, EvidenceSource
from stagepass.journal import Journal
from stagepass.policy.model import PolicySet
from stagepass.policy.watermark import HighWater
from stagepass.registry.client import RegistryClient
from stagepass.registry.source import RegistrySource
from stagepass.review import MAX_BYTES
from stagepass.verifier import Verifier
from webhook import metrics
from webhook.answers import one_line
from webhook.gate import Gate
from webhook.policies import Policies
from webhook.routes import routes
from webhook.selfcheck import SelfCheck
from webhook.settings import Settings

_LONGEST_REVIEW_SECONDS = 60.0
# An error quotes what is wrong, and that may be megabytes of it.
_MAX_ERROR = 1024


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The application of one worker, with its policy watched. Raises `InputError` on bad settings."""
    settings = Settings.from_environ(os.environ if environ is None else environ)
    marks = HighWater(settings.state_directory)
    policies = Policies(settings.policy, _verifiers(settings), settings.policy_root_key, marks)
    policies.watch()
    app = Flask("webhook", static_folder=None)
    app.extensions["stagepass.settings"] = settings
    app.extensions["stagepass.policies"] = policies
    app.extensions["stagepass.gate"] = Gate(
        settings.cluster, policies, settings.deadline, _journal(settings.state_directory)
    )
    app.extensions["stagepass.selfcheck"] = SelfCheck()
    app.register_blueprint(routes)
    app.register_error_handler(InputError, _bad_request)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _verifiers(settings: Settings) -> Callable[[PolicySet], Verifier]:
    """Makes the verifier of a set; all of them share one cache, whose keys hold the set's revision."""
    cache = DecisionCache()
    store = _store(settings.cache_directory)
    retired: list[RegistrySource] = []

    def make(policy: PolicySet) -> Verifier:
        for source in retired:
            _close_later(source)
        retired.clear()
        sources: list[EvidenceSource] = []
        for name in settings.evidence:
            if name.startswith("dir:"):
                sources.append(DirectorySource(Path(name.removeprefix("dir:"))))
                continue
            # The hosts that may be asked are the policy's, so each set has a client of its own.
            registry = RegistrySource(
                RegistryClient(
                    settings.registries, settings.credentials, policy.hosts(), observe=_counted
                )
            )
            retired.append(registry)
            sources.append(Breaker(registry))
        return Verifier(policy, sources, cache, store)

    return make


def _store(directory: Path | None) -> EvidenceCache | None:
    return EvidenceCache(directory, tell=_tell_cache_failure) if directory else None


def _tell_cache_failure(error: StagepassError) -> None:
    metrics.CACHE_FAILURES.inc()
    log.error("cache.failed", error=str(error))


def _journal(state: Path | None) -> Journal | None:
    return Journal(state / "journal") if state else None


def _counted(host: str, result: str) -> None:
    metrics.REGISTRY_REQUESTS.labels(host, result).inc()


def _close_later(source: RegistrySource) -> None:
    """Reviews that the old set is still judging have their own deadline; after it nobody asks."""
    timer = threading.Timer(_LONGEST_REVIEW_SECONDS, source.close)
    timer.daemon = True
    timer.start()


def _bad_request(error: InputError) -> Response:
    return _refusal(400, one_line(str(error), _MAX_ERROR))


def _too_large(error: RequestEntityTooLarge) -> Response:  # noqa: ARG001
    return _refusal(413, f"a review has at most {MAX_BYTES} bytes")


def _http_error(error: HTTPException) -> Response:
    return _refusal(error.code or 500, error.name)


def _refusal(status: int, message: str) -> Response:
    if status in (400, 413):
        metrics.REFUSED_REQUESTS.labels(str(status)).inc()
    body = strictjson.dumps({"error": message})
    return Response(body, status, content_type="application/json")
