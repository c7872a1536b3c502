"""The composition root: settings to a flask application."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from stagepass import log, strictjson
from stagepass.cache import DecisionCache
from stagepass.diskcache import EvidenceCache
from stagepass.errors import StagepassError
from stagepass.journal import Journal
from stagepass.mirror import Mirror
from stagepass.policy.model import PolicySet
from stagepass.policy.watermark import HighWater
from stagepass.registry.connections import system_context
from stagepass.release.book import ReleaseBook
from stagepass.release.shelf import Shelf
from stagepass.release.store import ReleaseSource
from stagepass.verifier import Verifier
from webhook import metrics
from webhook.gate import Gate
from webhook.policies import Policies
from webhook.registries import Registries
from webhook.reviews import Reviews
from webhook.routes import routes
from webhook.selfcheck import SelfCheck
from webhook.settings import Settings


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The application of one worker, with its policy watched. Raises `InputError` on bad settings."""
    settings = Settings.from_environ(os.environ if environ is None else environ)
    marks = HighWater(settings.state_directory)
    policies = Policies(
        settings.policy, _verifiers(settings), settings.policy_root_key, marks, settings.policy_poll
    )
    policies.watch()
    app = Flask("webhook", static_folder=None)
    app.extensions["stagepass.settings"] = settings
    app.extensions["stagepass.policies"] = policies
    app.extensions["stagepass.selfcheck"] = SelfCheck()
    app.register_blueprint(routes)
    app.register_error_handler(HTTPException, _http_error)
    journal = _journal(settings.state_directory)
    gate = Gate(settings.cluster, policies, settings.deadline, journal)
    app.wsgi_app = Reviews(gate, app.wsgi_app)  # type: ignore[method-assign]  # flask's own way to wrap it
    return app


def _verifiers(settings: Settings) -> Callable[[PolicySet], Verifier]:
    """Makes the verifier of a set; all of them share the caches, whose keys hold the set's revision."""
    images, objects, shelf = DecisionCache(), DecisionCache(), Shelf()
    store = _store(settings.cache_directory)
    if "registry" in settings.evidence:
        system_context()  # now, and not within the first review's time
    registries = Registries(settings)
    # One for all sets: what is mirrored is unpacked when it changes, not when policy does.
    mirrors = {
        name: Mirror(Path(name.removeprefix("mirror:"))).source()
        for name in settings.evidence
        if name.startswith("mirror:")
    }

    def make(policy: PolicySet) -> Verifier:
        sources = [
            mirrors.get(name) or _source(name, policy, registries) for name in settings.evidence
        ]
        book = ReleaseBook(policy, sources, shelf, store)
        evidence = [source.bundles for source in sources]
        return Verifier(policy, evidence, images, store, objects, releases=book)

    return make


def _source(name: str, policy: PolicySet, registries: Registries) -> ReleaseSource:
    if name.startswith("dir:"):
        return ReleaseSource.directory(Path(name.removeprefix("dir:")))
    return registries.source(policy.hosts())


def _store(directory: Path | None) -> EvidenceCache | None:
    return EvidenceCache(directory, tell=_tell_cache_failure) if directory else None


def _tell_cache_failure(error: StagepassError) -> None:
    metrics.CACHE_FAILURES.inc()
    log.error("cache.failed", error=str(error))


def _journal(state: Path | None) -> Journal | None:
    return Journal(state / "journal") if state else None


def _http_error(error: HTTPException) -> Response:
    body = strictjson.dumps({"error": error.name})
    return Response(body, error.code or 500, content_type="application/json")
