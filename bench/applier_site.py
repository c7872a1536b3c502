"""A cluster of real parts with `python -m applier` in it, and what is delivered to it from Git."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from bench import processes
from bench.applier_audit import POLICY, Audit
from stagepass.signing import PrivateKey
from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.simulators.git import GitServer

CLUSTER, HOST = "bench", "registry.example.com"
APPLIER = "stagepass-applier"
POLL_SECONDS = 0.3
_ROOT = Path(__file__).resolve().parent.parent
_HEAD = {"apiVersion": "stagepass.dev/v1"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What the applier cost in a stretch: CPU seconds (git included) of it and of the API server."""

    applier: float
    apiserver: float

    def since(self, before: Cost) -> Cost:
        """What came after `before` was taken."""
        return Cost(self.applier - before.applier, self.apiserver - before.apiserver)


NOTHING = Cost(0.0, 0.0)


class Site:
    """
    A control plane that keeps an audit log, a Git server, and a policy of one pipeline for each name.

    A context manager. Each pipeline has one stage, whose source is the directory of its name, and its
    objects lie in the namespace `fleet`, where the stage's service account is an administrator. `rule`
    is the `apply` of each source.
    """

    def __init__(self, root: Path, names: Iterable[str], rule: str) -> None:
        self.root, self.names, self._rule = root, list(names), rule
        for folder in ("git", "cluster", "policy", "evidence"):
            (root / folder).mkdir(parents=True)
        (root / "audit.yaml").write_text(POLICY)
        (root / "audit.log").touch()
        self.audit = Audit(root / "audit.log")
        PrivateKey.generate().write(root, "bench")
        self._files: dict[str, bytes] = {"README": b"bench\n"}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.server = stack.enter_context(GitServer(self.root / "git"))
            self.repository = self.server.create("deploy")
            flags = [
                f"--audit-policy-file={self.root / 'audit.yaml'}",
                f"--audit-log-path={self.root / 'audit.log'}",
            ]
            plane = ControlPlane(self.root / "cluster", apiserver_flags=flags)
            self.cluster = stack.enter_context(plane)
            self._prepare()
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _prepare(self) -> None:
        for namespace in (APPLIER, "fleet"):
            self.cluster.kubectl("create", "namespace", namespace)
        self.cluster.kubectl("-n", "fleet", "create", "serviceaccount", "deployer")
        self.cluster.kubectl(
            *("-n", "fleet", "create", "rolebinding", "deployer", "--clusterrole=admin"),
            "--serviceaccount=fleet:deployer",
        )
        documents = [{**_HEAD, "kind": "Defaults"}, *map(self._pipeline, self.names)]
        text = yaml.dump_all(documents, Dumper=yaml.CSafeDumper)
        (self.root / "policy" / "policy.yaml").write_text(text)

    def _pipeline(self, name: str) -> dict[str, Any]:
        source = {
            "git": self.server.url("deploy"),
            "ref": "main",
            "path": name,
            "apply": self._rule,
            "serviceAccount": {"namespace": "fleet", "name": "deployer"},
        }
        stage = {"name": "live", "clusters": [CLUSTER], "namespaces": ["fleet"], "source": source}
        images = [f"{HOST}/{name}/**"]
        return {
            **_HEAD,
            "kind": "Pipeline",
            "metadata": {"name": name},
            "images": images,
            "stages": [stage],
        }

    def commit(self, changes: Mapping[str, str]) -> str:
        """Put those files (path → text) into `main`, beside what is there; the commit."""
        self._files |= {path: text.encode() for path, text in changes.items()}
        return self.repository.commit("main", self._files, "bench")

    def fetched_at(self, state: Path) -> float:
        """When the applier's mirror took its newest head: UNIX time."""
        refs = (state / "git").glob("*.git/refs/stagepass/*")
        return max(ref.stat().st_mtime_ns for ref in refs) / 1e9


class Applier:
    """The process, a context manager. `look` in seconds: how often what is well is looked at."""

    def __init__(self, site: Site, folder: str, look: float = 60.0) -> None:
        self.site, self.state = site, site.root / folder
        self.state.mkdir(exist_ok=True)
        self._log = self.state / "applier.log"
        self._look, self._at = look, 0
        self.applied: dict[str, tuple[str | None, str | None]] = {}
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        settings = {
            "CLUSTER": CLUSTER,
            "POLICY": str(self.site.root / "policy"),
            "KEY": str(self.site.root / "bench.key"),
            "EVIDENCE": f"dir:{self.site.root / 'evidence'}",
            "STATE_DIR": str(self.state),
            "KUBECTL": str(tools.binaries()["kubectl"]),
            "GIT_POLL": str(POLL_SECONDS),
            "LOOK": str(self._look),
        }
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        kubeconfig = str(self.site.cluster.directory / "kubeconfig")
        command = [sys.executable, "-m", "applier", "run", "--kubeconfig", kubeconfig]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*leash, *command],
                cwd=_ROOT,
                env={
                    **{f"STAGEPASS_{name}": value for name, value in settings.items()},
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": str(self.state),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def peak_mib(self) -> float:
        """The most that it ever held in memory (VmHWM)."""
        return processes.peak_mib(self._process.pid)

    def busy_seconds(self) -> float:
        """CPU time of the process alone, so far."""
        return processes.cpu_seconds([self._process.pid])

    def cost(self) -> Cost:
        """CPU so far."""
        own = self.busy_seconds() + processes.children_seconds(self._process.pid)
        return Cost(own, processes.cpu_seconds([self.site.cluster.pid("kube-apiserver")]))

    def read(self) -> None:
        """Take in what it has logged since: `applied` by name is (commit, reason to wait)."""
        with self._log.open("rb") as log:
            log.seek(self._at)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            event = json.loads(line) if line.startswith(b"{") else {}
            if event.get("event") == "application":
                self.applied[event["name"]] = (event["applied"], event["reason"])

    def wait(self, what: Callable[[], bool], seconds: float = 120.0) -> None:
        """Until it holds. Raises `RuntimeError` with the end of the log."""
        end = time.monotonic() + seconds
        while True:
            self.read()
            if what():
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"not within {seconds:g} s: {self._log.read_text()[-3000:]}")
            time.sleep(0.01)

    def wait_applied(self, names: Iterable[str], commit: str) -> None:
        """Until all of them run `commit`."""
        wanted = [f"{name}.live" for name in names]
        self.wait(lambda: all(self.applied.get(n, ("", ""))[0] == commit for n in wanted))
