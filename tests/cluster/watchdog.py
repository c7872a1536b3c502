"""A real `python -m webhook watch` with a real service account's token."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.controlplane import ControlPlane
from tests.cluster.guard import NAMESPACE, ROOT, wait_for

DRIFT = "stagepass_webhook_config_drift"
CHECKED = "stagepass_webhook_config_checked_timestamp_seconds"


class Watchdog:
    """
    A context manager: watching inside the block, ended after it.

    `files` is the directory of what is wanted; `directory` must be empty. The pause between two
    rounds is the shipped one, or `interval` seconds.
    """

    def __init__(
        self, control_plane: ControlPlane, files: Path, directory: Path, interval: float = 0
    ) -> None:
        self._plane, self._files, self._directory = control_plane, files, directory
        self.account = directory / "account"
        self._log = directory / "watchdog.log"
        self._interval = interval
        self._address = ("", 0)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.account.mkdir(parents=True)
        (self.account / "ca.crt").write_bytes(self._plane.ca_file.read_bytes())
        self.renew_token()
        server = urlsplit(self._plane.server)
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self._address = free.getsockname()
        environment = {
            "STAGEPASS_WATCH": str(self._files),
            "STAGEPASS_METRICS_BIND": f"127.0.0.1:{self._address[1]}",
            "STAGEPASS_SERVICE_ACCOUNT": str(self.account),
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "PATH": os.defpath,
        }
        if self._interval:
            environment["STAGEPASS_WATCH_INTERVAL"] = str(self._interval)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "webhook", "watch"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
        assert self._process.returncode == 0, self._log.read_text()

    def renew_token(self) -> None:
        """As the kubelet does; the service account is the one of deploy/guard."""
        done = self._plane.kubectl("create", "token", "stagepass-watchdog", "-n", NAMESPACE)
        (self.account / "token").write_text(done.stdout)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line it logged."""
        text = self._log.read_text()
        assert all(line.startswith("{") for line in text.splitlines()), text
        return [json.loads(line) for line in text.splitlines()]

    def fields(self, since: int = 0) -> set[str]:
        """The differing fields that the lines from number `since` on name."""
        told = (line for line in self.lines[since:] if line["event"] == "watch.drift")
        return {each["field"] for line in told for each in line["fields"]}

    def states(self, metric: str = DRIFT) -> dict[str, float]:
        """Object → the gauge's value; empty while it does not listen."""
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        with closing(connection):
            try:
                connection.request("GET", "/metrics")
            except OSError:
                return {}
            text = connection.getresponse().read().decode()
        families = text_string_to_metric_families(text)
        return {
            f"{s.labels['kind']}/{s.labels['name']}": s.value
            for family in families
            for s in family.samples
            if s.name == metric
        }

    def wait_for(self, is_so: Callable[[Self], bool]) -> None:
        """Poll until it is so, at most a minute; `AssertionError` with the log."""
        try:
            wait_for(lambda: is_so(self), "the watchdog", 60)
        except AssertionError as error:
            error.add_note(self._log.read_text()[-3000:])
            raise
