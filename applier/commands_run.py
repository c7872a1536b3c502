"""`run`: the loop, until SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import threading

from applier import metrics
from applier.app import make_loop
from applier.application import name_of
from applier.cluster import Cluster
from applier.settings import Settings
from stagepass.errors import InputError


def run(chosen: argparse.Namespace) -> int:
    """Raises `StagepassError` where it cannot begin."""
    if bool(chosen.pipeline) != bool(chosen.stage):
        raise InputError("--pipeline and --stage go together")
    settings = Settings.from_environ(os.environ)
    only = name_of(chosen.pipeline, chosen.stage) if chosen.pipeline else ""
    if settings.metrics_bind:
        try:
            metrics.serve(settings.metrics_bind)
        except OSError as error:
            raise InputError(str(error), where="STAGEPASS_METRICS_BIND") from error
    loop = make_loop(settings, Cluster.connect(chosen.kubeconfig), only)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loop.run(stop, (settings.state_directory / "alive").touch)  # for the Pod's liveness probe
    return 0
