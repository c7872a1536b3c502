"""
Debian's docker-registry 2.8.2 on a free port of 127.0.0.1: a registry without the referrers API.

A real one, in a process of its own, whose writers really race.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Self

import urllib3

from tests.debian import program

_PROGRAM = "docker-registry"
_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: "{root}"}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_START_SECONDS = 20


class DockerRegistry:
    """Running, its content below `directory`; a context manager."""

    def __init__(self, directory: Path) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        config = directory / "config.yml"
        config.write_text(_CONFIG.format(root=directory / "content", port=port))
        self._log = directory / "registry.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program(_PROGRAM, _PROGRAM), "serve", str(config)],
                env={"PATH": os.defpath, "OTEL_TRACES_EXPORTER": "none"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        """When it answers."""
        until = time.monotonic() + _START_SECONDS
        with urllib3.PoolManager(retries=False, timeout=1) as pool:
            while not self._answers(pool):
                if self._process.poll() is not None or time.monotonic() > until:
                    self.__exit__()
                    raise RuntimeError(f"{_PROGRAM} did not start: {self._log.read_text()}")
                time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def _answers(self, pool: urllib3.PoolManager) -> bool:
        try:
            return pool.request("GET", f"http://{self.host}/v2/").status == 200
        except urllib3.exceptions.HTTPError:
            return False
