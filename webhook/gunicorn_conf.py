"""
gunicorn's settings, with the measured reason for each (building-blocks section 2).

`python -m webhook` runs it, and makes the directory through which the workers share their metrics.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

from webhook import denials, inforce
from webhook.listener import start
from webhook.settings import Settings
from webhook.tls import ServerContext

_settings = Settings.from_environ(os.environ)
_server_context = ServerContext(_settings.tls_directory)
_children: list[subprocess.Popen[bytes]] = []

wsgi_app = "webhook.app:create_app()"
bind = [_settings.bind]
worker_class = "webhook.worker.Worker"
workers = _settings.workers
# 4 threads are enough for CPU; 8 overlap the registry waits of cold decisions.
threads = 8
# One listening socket a worker: on a shared one, 16 connections landed 13 and 3.
reuse_port = True
# The API server must be the one to close an idle connection; a new one costs a handshake.
keepalive = 95
timeout = 30
graceful_timeout = 10
# The heartbeat file must never wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # the directory, not a file
# On by default in the home directory, which a Pod cannot write, and nobody needs it here.
control_socket_disable = True
certfile = str(_settings.tls_directory / "tls.crt")
keyfile = str(_settings.tls_directory / "tls.key")
loglevel = "warning"


def ssl_context(
    config: Any, default_ssl_context_factory: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    """Asked for every connection; answers with the one context."""
    return _server_context.current()


def on_starting(server: Any) -> None:
    """Metrics on a listener of their own, bound before any worker starts. Raises `OSError`."""
    if _settings.metrics_bind:
        _children.append(start(_settings.metrics_bind, _settings.tls_directory, _settings.denials))


def child_exit(server: Any, worker: Any) -> None:
    """A dead worker's gauges must not be added up for ever; what it refused must not be forgotten."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # not annotated upstream
    inforce.forget(worker.pid)
    denials.inherit(worker.pid)


def on_exit(server: Any) -> None:
    """The parent leaves nothing behind."""
    for child in _children:
        child.terminate()
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
