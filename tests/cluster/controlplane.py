"""
A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager.

Everything listens on 127.0.0.1 or a Unix socket, lives in one directory and dies with its owner.
There are no nodes: Pods are made, and never run.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tests.cluster import tools
from tests.cluster.credentials import ADMIN, ORDINARY_USER, write_credentials

__all__ = ["ADMIN", "ORDINARY_USER", "ControlPlane", "ControlPlaneError"]

_START_SECONDS = 60.0
_POLL_SECONDS = 0.02
_CONTROLLERS = (
    "clusterrole-aggregation-controller",  # without it admin, edit and view hold no rules
    "cronjob-controller",
    "deployment-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "statefulset-controller",
)


class ControlPlaneError(RuntimeError):
    """A part died or did not get ready in time; the message ends with what each part logged."""


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def _etcd() -> list[str]:
    """On Unix sockets only, since it asks nobody who they are; advertised URLs are dummies."""
    return [
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        "--log-level=error",
        "--listen-client-urls=unix://etcd.sock",
        "--advertise-client-urls=http://127.0.0.1:1",
        "--listen-peer-urls=unix://peer.sock",
        "--initial-advertise-peer-urls=http://127.0.0.1:1",
        "--initial-cluster=default=http://127.0.0.1:1",
    ]


def _apiserver(port: int, etcd: str, prefix: str) -> list[str]:
    return [
        f"--etcd-servers=unix://{etcd}",
        f"--etcd-prefix=/{prefix}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=sa.pub",
        "--service-account-signing-key-file=sa.key",
        "--client-ca-file=ca.crt",
        "--tls-cert-file=api.crt",
        "--tls-private-key-file=api.key",
        "--token-auth-file=tokens.csv",
    ]


def _controller_manager(more: Sequence[str]) -> list[str]:
    return [
        "--kubeconfig=kubeconfig",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--root-ca-file=ca.crt",
        f"--controllers={','.join([*_CONTROLLERS, *more])}",
    ]


class ControlPlane:
    """
    A context manager: ready inside the block, killed after it; `directory` must be empty.

    With a `neighbour`, which must outlive it, the two share one etcd and see nothing of each other.
    `controllers` run besides the usual ones.

    Start it on the main thread: where `setpriv` exists, the parts die with the thread that
    started them, so that not even a killed test run leaves any behind.
    """

    def __init__(
        self,
        directory: Path,
        *,
        apiserver_flags: Sequence[str] = (),
        controllers: Sequence[str] = (),
        neighbour: ControlPlane | None = None,
    ) -> None:
        self.directory = directory
        self._neighbour = neighbour
        self.ca_file = directory / "ca.crt"
        self.tokens = {name: secrets.token_hex(16) for name in (ADMIN, ORDINARY_USER)}
        self._port = _free_port()
        self.server = f"https://127.0.0.1:{self._port}"
        self._apiserver_flags, self._controllers = list(apiserver_flags), tuple(controllers)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._flags: dict[str, list[str]] = {}
        self._programs = tools.binaries()
        self._running = ExitStack()

    @property
    def token(self) -> str:
        """The bearer token of the administrator (system:masters)."""
        return self.tokens[ADMIN]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def pid(self, name: str) -> int:
        """The process id of one part, such as `kube-apiserver`."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL to one part, for `restart` to start again. Any thread may."""
        _kill(self._processes[name])

    def restart(self, name: str) -> None:
        """Start a part that was killed, on its old port and data, and wait for the API server."""
        self._launch(self._running, name, self._flags[name])
        self._await_ready(time.monotonic() + _START_SECONDS)

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        as_user: str | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """
        Run kubectl as the administrator, or as another user for whom RBAC holds.

        A user in `tokens` comes with the token; any other name is impersonated. With `check`, a
        failure is `CalledProcessError` with stderr as its note; over 60 s, `TimeoutExpired`.
        """
        who: list[str] = []
        if as_user is not None:
            who = ["--user" if as_user in self.tokens else "--as", as_user]
        done = subprocess.run(
            [self._programs["kubectl"], *who, *arguments],
            input=stdin or "",
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        try:
            if check:
                done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note(done.stderr)
            raise
        return done

    def namespace(self, prefix: str = "test") -> str:
        """The name of a new namespace whose default service account exists (20-50 ms)."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        status, text = self._call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        if status != http.HTTPStatus.CREATED:
            raise ControlPlaneError(f"namespace {name}: {status} {text}")
        self._await_service_account(name, time.monotonic() + 15)
        return name

    def _start(self, stack: ExitStack) -> None:
        deadline = time.monotonic() + _START_SECONDS
        self.directory.chmod(0o700)  # etcd's socket asks nobody for a password
        (self.directory / "home").mkdir()
        write_credentials(self.directory, self.server, self.tokens)
        # etcd preallocates 64 MB, which must not stay in pytest's retained directories
        stack.callback(shutil.rmtree, self.directory / "etcd", ignore_errors=True)
        etcd, prefix = "etcd.sock", "registry"
        if self._neighbour is None:
            self._launch(stack, "etcd", _etcd())
        else:
            etcd, prefix = str(self._neighbour.directory / etcd), self.directory.name
        flags = [*_apiserver(self._port, etcd, prefix), *self._apiserver_flags]
        self._launch(stack, "kube-apiserver", flags)
        self._await_ready(deadline)
        self._launch(stack, "kube-controller-manager", _controller_manager(self._controllers))
        self._await_service_account("default", deadline)

    def _await_ready(self, deadline: float) -> None:
        self._await("/readyz", lambda: self._status("/readyz") == http.HTTPStatus.OK, deadline)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory / "home"),
            "KUBECONFIG": str(self.directory / "kubeconfig"),
        }

    def _launch(self, stack: ExitStack, name: str, flags: list[str]) -> None:
        if name not in self._programs:
            raise ControlPlaneError(f"{name} is not built: run `make tools`")
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*leash, str(self._programs[name]), *flags],
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        stack.callback(_kill, process)
        self._processes[name], self._flags[name] = process, flags

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and body of one request by the administrator on a connection of its own."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._tls, timeout=10
        )
        with closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def _status(self, path: str) -> int:
        """The status of a GET, 0 while nobody listens."""
        try:
            return self._call("GET", path)[0]
        except OSError:
            return 0

    def _await_service_account(self, namespace: str, deadline: float) -> None:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        self._await(path, lambda: self._status(path) == http.HTTPStatus.OK, deadline)

    def _await(self, what: str, is_so: Callable[[], bool], deadline: float) -> None:
        while not is_so():
            dead = [name for name, each in self._processes.items() if each.poll() is not None]
            if dead:
                raise ControlPlaneError(f"{dead[0]} ended by itself{self._logs()}")
            if time.monotonic() > deadline:
                raise ControlPlaneError(f"{what} was not ready in time{self._logs()}")
            time.sleep(_POLL_SECONDS)

    def _logs(self) -> str:
        tails = []
        for name in self._processes:
            lines = (self.directory / f"{name}.log").read_text(errors="replace").splitlines()
            tails.append("\n".join([f"\n--- {name}", *lines[-15:]]))
        return "".join(tails)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL: a kube-apiserver takes up to 60 s for a SIGTERM while a watch is open."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
