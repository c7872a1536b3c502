"""
A real gate before a real API server, set up by the commands a user would run.

One `python -m webhook` with the shipped `ValidatingWebhookConfiguration`: only its `clientConfig`
is ours, because no Service leads to a process on loopback.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import Team
from tests.cluster.shop import Shop

ROOT = Path(__file__).parents[2]
CLUSTER = "staging"
NAME = "gate.stagepass.dev"

_CONFIGURATION = ROOT / "deploy" / "base" / "validatingwebhookconfiguration.yaml"
_WAIT_SECONDS, _POLL_SECONDS = 30.0, 0.02


def status_in(stderr: str) -> dict[str, Any]:
    """The Status object that a program would get, out of what kubectl prints with `-v=6`."""
    found, _ = json.JSONDecoder().raw_decode(stderr.partition("server response object: ")[2])
    assert isinstance(found, dict)
    return found


class Gate:
    """
    A context manager: in effect inside the block, gone after it; `directory` must be empty.

    Every namespace of the cluster is gated meanwhile, as it is for a user. `evidence` is the
    webhook's own setting, by default the directory of `shop`; `more` are other settings, before it starts.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        shop: Shop | Team,
        directory: Path,
        evidence: str = "",
        cluster: str = CLUSTER,
    ) -> None:
        self._cluster = cluster
        self.control_plane, self.shop, self.directory = control_plane, shop, directory
        self.namespace = ""
        self.more: dict[str, str] = {}
        self._evidence = evidence or f"dir:{shop.evidence}"
        self._tls, self._log = directory / "tls", directory / "webhook.log"
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # Bound and never listening: it keeps the port ours while no webhook runs.
            reserved = stack.enter_context(closing(socket.socket()))
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reserved.bind(("127.0.0.1", 0))
            self._port = reserved.getsockname()[1]
            names = ("--service", "stagepass-webhook", "--namespace", "stagepass-system")
            self._certs("issue", str(self._tls), *names, "--ip", "127.0.0.1")
            stack.callback(self.kill)
            self.start()
            self._install(stack)
            self.namespace = self.control_plane.namespace("gate")
            self.wait_for(self._is_in_effect)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> None:
        """Start the webhook, with a cold cache, on the port it always has; wait until it is ready."""
        settings = {
            "CLUSTER": self._cluster,
            "POLICY": str(self.shop.policy),
            "EVIDENCE": self._evidence,
            "BIND": f"127.0.0.1:{self._port}",
            "TLS_DIR": str(self._tls),
            "WORKERS": "1",  # one process, one cache: what it remembers is known
            **self.more,
        }
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*leash, sys.executable, "-m", "webhook"],
                cwd=ROOT,
                env={
                    **{f"STAGEPASS_{name}": value for name, value in settings.items()},
                    "PATH": os.defpath,
                    "HOME": str(self.directory),
                    "TMPDIR": str(self.directory),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_for(self._is_ready)

    def kill(self) -> None:
        """SIGKILL for the webhook and its workers; nothing listens afterwards."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            self.wait_for(lambda: not self._is_listening())

    @property
    def is_running(self) -> bool:
        """Whether the webhook was started and not killed since."""
        return self._process is not None

    def restart(self) -> None:
        """A new process, which remembers nothing."""
        self.kill()
        self.start()

    def kubectl(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """As `ControlPlane.kubectl`, in this gate's namespace unless another is named."""
        where = () if "-n" in arguments else ("-n", self.namespace)
        return self.control_plane.kubectl(*arguments, *where, **options)

    def refusal(self, *arguments: str, **options: Any) -> str:
        """What kubectl prints where the gate refuses; fails where it does not."""
        done = self.kubectl(*arguments, check=False, **options)
        assert done.returncode == 1, f"admitted: {done.stdout}"
        assert f'admission webhook "{NAME}" denied the request: ' in done.stderr
        return done.stderr

    def decisions(self) -> list[dict[str, Any]]:
        """What the webhook logged about objects of its namespace, in order."""
        lines = (json.loads(x) for x in self._log.read_text().splitlines() if x.startswith("{"))
        found = (line for line in lines if line["event"] == "decision")
        return [d for d in found if d["object"].split("/")[2] == self.namespace]

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Poll until it is so. `RuntimeError`, with the webhook's log, after 30 s or at its end."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not is_so():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                log = self._log.read_text(errors="replace")
                raise RuntimeError(
                    f"{'the webhook ended' if ended else 'not in time'}:\n{log[-3000:]}"
                )
            time.sleep(_POLL_SECONDS)

    def wait_for_pods(self, count: int) -> None:
        """Poll until the namespace has that many Pods."""
        listing = ("get", "pods", "-o", "name")
        self.wait_for(lambda: self.kubectl(*listing).stdout.count("pod/") == count)

    def _install(self, stack: ExitStack) -> None:
        configuration = yaml.safe_load(_CONFIGURATION.read_text())
        (webhook,) = configuration["webhooks"]
        webhook["clientConfig"] = {"url": f"https://127.0.0.1:{self._port}/validate"}
        manifest = self.directory / "configuration.yaml"
        manifest.write_text(yaml.safe_dump(configuration))
        self._certs("inject", str(manifest), "--ca", str(self._tls / "ca.crt"))
        self.control_plane.kubectl("create", "-f", str(manifest))
        stack.callback(self.control_plane.kubectl, "delete", "-f", str(manifest))

    def _certs(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "certs", *arguments]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self._tls / "ca.crt"))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=context, timeout=10
        )
        with closing(connection):
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == http.HTTPStatus.OK
            except OSError:
                return False

    def _is_listening(self) -> bool:
        with closing(socket.socket()) as client:
            return client.connect_ex(("127.0.0.1", self._port)) == 0

    def _is_in_effect(self) -> bool:
        command = ("run", "probe", "--image", self.shop.image(), "--dry-run=server")
        return f'"{NAME}" denied the request' in self.kubectl(*command, check=False).stderr
