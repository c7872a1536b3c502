"""The servers under measurement: the real gate, and a static answer on the same stack."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import processes
from bench.site import CLUSTER, Site

WORKERS = 2
GATE = ("-m", "webhook")
STATIC = ("-m", "gunicorn", "-c", "python:webhook.gunicorn_conf", "bench.static_app:app")
"""The webhook's own gunicorn settings and TLS hook; only the application is another one."""

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS, _END_SECONDS = 30.0, 15.0


class Server:
    """One of the two on a free loopback port, until the `with` block ends; `cache` is shared evidence."""

    def __init__(
        self, module: tuple[str, ...], site: Site, evidence: str, cache: Path | None = None
    ) -> None:
        self.port = _free_port()
        environment = {
            **os.environ,
            "STAGEPASS_CLUSTER": CLUSTER,
            "STAGEPASS_POLICY": str(site.policy),
            "STAGEPASS_EVIDENCE": evidence,
            "STAGEPASS_CACHE_DIR": str(cache or ""),
            "STAGEPASS_TLS_DIR": str(site.tls),
            "STAGEPASS_BIND": f"127.0.0.1:{self.port}",
            "STAGEPASS_WORKERS": str(WORKERS),
            # `python -m webhook` makes one of its own; gunicorn by itself needs to be given it.
            "PROMETHEUS_MULTIPROC_DIR": tempfile.mkdtemp(dir=site.root),
        }
        self._log = (site.root / f"{self.port}.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, *module],
            cwd=_ROOT,
            env=environment,
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            # Each worker opens a socket of its own once its application has loaded.
            if processes.listeners(self.port) == WORKERS:
                return self
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise RuntimeError(f"no server: {Path(self._log.name).read_text()}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_END_SECONDS)
        self._log.close()

    def cpu_seconds(self) -> float:
        """User and system time of the parent and its workers."""
        return processes.cpu_seconds(processes.tree(self._process.pid))

    def clients(self) -> dict[int, int]:
        """The client's port of each connection → the worker that holds it."""
        return processes.clients_of(self.port, processes.tree(self._process.pid)[1:])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
