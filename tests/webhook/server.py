"""
A real gate: `python -m webhook` in a process of its own on a free port of 127.0.0.1, over TLS.

    with Server(directory, shop, workers=2) as server:
        answer = server.judge(pod(image))

It answers nobody once the block is left. Standard output and error are files below `directory`.
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
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.webhook.shop import CLUSTER, Shop

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
_POLL_SECONDS = 0.02
_NAMES = ("--service", "stagepass-webhook", "--namespace", "stagepass-system", "--ip", "127.0.0.1")

Review = Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def wait_until(is_so: Callable[[], Any], seconds: float = START_SECONDS) -> None:
    """Return as soon as `is_so()` holds; fail where it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so within {seconds:g} s"
        time.sleep(_POLL_SECONDS)


def issue(directory: Path) -> None:
    """A CA and a serving certificate in `directory`, made by the command a user would run."""
    command = [sys.executable, "-m", "certs", "issue", str(directory), *_NAMES]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)


def environment(directory: Path, **settings: str) -> dict[str, str]:
    """All that a gate is told: nothing of our own environment but these `STAGEPASS_*` settings."""
    for name in ("home", "tmp"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    return {
        **{f"STAGEPASS_{name}": value for name, value in settings.items()},
        "PATH": os.defpath,
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Server:
    """`evidence`, by default the directory of `shop`, and `settings` are `STAGEPASS_*` variables."""

    def __init__(
        self,
        directory: Path,
        shop: Shop,
        *,
        workers: int = 1,
        evidence: str = "",
        ready: bool = True,
        environ: Mapping[str, str] = {},
        **settings: str,
    ) -> None:
        """`ready=False` expects a gate that has no policy set; `environ`: variables of other programs."""
        self.shop, self.tls = shop, directory / "tls"
        self.directory, self._ready, self._environ = directory, ready, environ
        self._out, self._err = directory / "stdout", directory / "stderr"
        self._settings = {
            "CLUSTER": CLUSTER,
            "POLICY": str(shop.policy),
            "EVIDENCE": evidence or f"dir:{shop.evidence}",
            "TLS_DIR": str(self.tls),
            "WORKERS": str(workers),
            **settings,
        }

    def __enter__(self) -> Self:
        if not self.tls.exists():
            issue(self.tls)
        # Bound and never listening: it keeps the port ours, also after the gate has ended.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self.context = ssl.create_default_context(cafile=self.tls / "ca.crt")
        self._process = self._start()
        try:
            wait_until(self._has_started)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """SIGTERM, and SIGKILL for what is left of its process group after ten seconds."""
        try:
            if self._process.poll() is None:
                self.terminate()
                self.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        finally:
            self._process.wait()
            self._reserved.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def workers(self) -> list[int]:
        """The pids of its children."""
        return [int(pid) for pid in _children(self.pid).read_text().split()]

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """Its exit code. Raises `TimeoutExpired`."""
        return self._process.wait(seconds)

    def connect(self, seconds: float = 30.0) -> http.client.HTTPSConnection:
        """A new connection, to be closed by the caller."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self.context, timeout=seconds
        )

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Reply:
        """One request on a connection of its own."""
        with closing(self.connect()) as connection:
            connection.request(method, path, body, dict(headers))
            return reply(connection)

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def review(self, review: Review, timeout: str = "10s") -> Reply:
        """Ask as an API server asks."""
        body = review if isinstance(review, bytes) else json.dumps(review).encode()
        headers = {"Content-Type": "application/json"}
        return self.request("POST", f"/validate?timeout={timeout}", body, headers)

    def judge(self, review: Review, timeout: str = "10s") -> dict[str, Any]:
        """The `response` member of the answer to a review."""
        answer = self.review(review, timeout)
        assert answer.status == 200, answer.body
        response: dict[str, Any] = answer.json["response"]
        return response

    def log_lines(self, event: str = "") -> list[dict[str, Any]]:
        """Every line of its standard output, decoded; those of one `event` where it is given."""
        whole = self._out.read_text().split("\n")[:-1]
        lines = [json.loads(line) for line in whole]
        return [line for line in lines if event in ("", line["event"])]

    def stderr(self) -> str:
        return self._err.read_text(errors="replace")

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {"BIND": f"127.0.0.1:{self.port}", **self._settings}
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        with self._out.open("wb") as out, self._err.open("wb") as err:
            return subprocess.Popen(
                [*leash, sys.executable, "-m", "webhook"],
                cwd=ROOT,
                env={**environment(self.directory, **settings), **self._environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _has_started(self) -> bool:
        assert self._process.poll() is None, f"it ended: {self.stderr()}"
        try:
            answer = self.get("/readyz")
        except OSError:
            return False
        told = self.log_lines("policy.loaded" if self._ready else "policy.refused")
        every = len(told) >= int(self._settings["WORKERS"])
        return every and (answer.status == 200) is self._ready


def reply(connection: http.client.HTTPConnection) -> Reply:
    """The answer to what was asked on `connection`."""
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, headers, answer.read())


def _children(pid: int) -> Path:
    return Path(f"/proc/{pid}/task/{pid}/children")
