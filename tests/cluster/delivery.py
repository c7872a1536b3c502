"""
A team whose versions are delivered by `python -m applier`: Git, policy, keys and one or more clusters.

Everything is what a user would run; the deploy repository lies behind a real smart-HTTP server.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import yaml

from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.simulators.git import GitServer
from tests.simulators.kubelet import Kubelet
from tests.simulators.oci import digest_of
from tests.simulators.registry import Registry

ROOT = Path(__file__).parents[2]
HOST = "registry.example.com"
"""A registry that nobody can ask: evidence lies in a directory that the clusters share."""
PROVENANCE = "https://slsa.dev/provenance/v1"
APPLIER = "stagepass-applier"

STAGEPASS = Path(sys.executable).with_name("stagepass")


class Team:
    """
    Pipeline `shop` with stages test → staging → production, one cluster each, all from one repository.

    `directory/policy` is the set, `directory/evidence` what all clusters read and write.
    """

    def __init__(
        self,
        directory: Path,
        server: GitServer,
        stages: tuple[str, ...] = ("test",),
        registry: Registry | None = None,
    ) -> None:
        """With a `registry`, images and evidence lie there, else evidence in a directory."""
        self.registry, self.host = registry, registry.host if registry else HOST
        self.directory, self.server, self.stages = directory, server, stages
        self.policy, self.evidence = directory / "policy", directory / "evidence"
        self.evidence.mkdir()
        self.sources = "registry" if registry else f"dir:{self.evidence}"
        (self.policy / "keys").mkdir(parents=True)
        for name in ("ci", *stages):
            self.stagepass("keys", "generate", str(directory), "--name", name)
            shutil.copy(directory / f"{name}.pub", self.policy / "keys" / f"{name}.pub")
        self.repository = server.create("deploy")
        self.write_policy()

    def write_policy(self, changes: Callable[[list[dict[str, Any]]], None] | None = None) -> None:
        """The set, with each stage as `changes` leaves it."""
        stages = [self._stage(name) for name in self.stages]
        for earlier, later in pairwise(stages):
            later["after"] = [earlier["name"]]
        stages[0]["requires"] = [
            {"attestation": {"name": "provenance", "from": ["ci"], "predicateType": PROVENANCE}}
        ]
        if changes:
            changes(stages)
        head = {"apiVersion": "stagepass.dev/v1"}
        keys = {n: {"keys": [{"file": f"keys/{n}.pub", "owner": n}]} for n in ("ci", *self.stages)}
        documents = [
            {**head, "kind": "Attestors", "attestors": keys},
            {
                **head,
                "kind": "Pipeline",
                "metadata": {"name": "shop"},
                "images": [f"{self.host}/shop/**"],
                "stages": stages,
            },
            {**head, "kind": "Defaults"},
        ]
        (self.policy / "policy.yaml").write_text(yaml.safe_dump_all(documents))

    def _stage(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "clusters": [name],
            "namespaces": ["shop"],
            "signedBy": [name],
            "source": {
                "git": self.server.url("deploy"),
                "ref": "main",
                "path": name,
                "serviceAccount": {"namespace": "shop", "name": "deployer"},
            },
        }

    def stagepass(self, *arguments: str) -> str:
        """The command as installed; what it printed."""
        done = subprocess.run(
            [STAGEPASS, *arguments],
            env={"PATH": os.defpath, "HOME": str(self.directory)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def image(self, name: str = "web") -> str:
        """A new image that nobody has attested."""
        content = secrets.token_bytes(16)
        if self.registry is None:
            return f"{self.host}/shop/{name}@{digest_of(content)}"
        return f"{self.host}/shop/{name}@{self.registry.push_image(f'shop/{name}', content)}"

    def attest(self, image: str) -> str:
        """CI signs provenance of `image`; gives `image`."""
        predicate = self.directory / "provenance.json"
        predicate.write_text("{}")
        self.stagepass(
            *("attest", image, "--key", str(self.directory / "ci.key"), "--type", PROVENANCE),
            *("--predicate", str(predicate), "--evidence", self.sources),
        )
        return image

    def commit(self, files: dict[str, str], subject: str = "change") -> str:
        """Replace the whole tree of `main`; the commit."""
        content = {name: text.encode() for name, text in files.items()}
        return self.repository.commit("main", content, subject)

    def deploy(self, image: str, *, replicas: int = 1, more: str = "") -> str:
        """Commit a Deployment of `image` (and `more` objects) for every stage; the commit."""
        text = deployment(image, replicas=replicas) + more
        return self.commit({f"{stage}/web.yaml": text for stage in self.stages}, image[-12:])


class Delivery:
    """
    One cluster of the team with an applier in it: a context manager, running inside the block.

    The applier may do everything here; its shipped rights have tests of their own.
    """

    def __init__(self, team: Team, stage: str, cluster: ControlPlane, directory: Path) -> None:
        self.team, self.stage, self.cluster, self.directory = team, stage, cluster, directory
        self.log_file = directory / "applier.log"
        self.kubeconfig = cluster.directory / "kubeconfig"
        self.more: dict[str, str] = {}
        self.options: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._running = ExitStack()

    def __enter__(self) -> Self:
        for namespace in (APPLIER, "shop"):
            self.cluster.kubectl("create", "namespace", namespace)
        self.cluster.kubectl("-n", "shop", "create", "serviceaccount", "deployer")
        self.cluster.kubectl(
            *("-n", "shop", "create", "rolebinding", "deployer", "--clusterrole=admin"),
            "--serviceaccount=shop:deployer",
        )
        (self.directory / "state").mkdir()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def environment(self) -> dict[str, str]:
        """Of the applier, with `more` settings."""
        settings = {
            "CLUSTER": self.stage,
            "POLICY": str(self.team.policy),
            "KEY": str(self.team.directory / f"{self.stage}.key"),
            "EVIDENCE": self.team.sources,
            "STATE_DIR": str(self.directory / "state"),
            "KUBECTL": str(tools.binaries()["kubectl"]),
            "GIT_POLL": "0.3",
            "LOOK": "2",
            "RETRY": "0.5",
            **self.more,
        }
        return {
            **{f"STAGEPASS_{name}": value for name, value in settings.items()},
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.directory),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the applier's other commands, by the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "applier", *arguments, "--kubeconfig", str(self.kubeconfig)],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self) -> None:
        """Start the applier, with `options`."""
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*leash, sys.executable, "-m", "applier", "run"),
                    *("--kubeconfig", str(self.kubeconfig), *self.options),
                ],
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def events(self) -> list[dict[str, Any]]:
        """What the applier logged."""
        lines = self.log_file.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def last(self) -> dict[str, Any]:
        """The newest line about the application."""
        return ([e for e in self.events() if e["event"] == "application"] or [{}])[-1]

    def wait(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        """Until `what` holds; else fails with the log."""
        end = time.monotonic() + seconds
        while not what():
            assert self._process is not None
            assert self._process.poll() is None, self.log_file.read_text()
            assert time.monotonic() < end, self.log_file.read_text()[-6000:]
            time.sleep(0.05)

    def wait_applied(self, commit: str) -> None:
        """Until the application runs `commit`."""
        self.wait(lambda: self.last().get("applied") == commit)

    def wait_passed(self, commit: str) -> None:
        """Until the pass of `commit` is signed."""
        self.wait(lambda: self.last().get("passed") == commit)

    def wait_reason(self, reason: str) -> None:
        """Until the application stands still for `reason`."""
        self.wait(lambda: self.last().get("reason") == reason)

    def live(self, kind: str, name: str) -> dict[str, Any]:
        """An object in `shop`, {} where there is none."""
        done = self.cluster.kubectl("-n", "shop", "get", kind, name, "-o", "json", check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found


@contextmanager
def one_cluster(
    directory: Path, apiserver_flags: Sequence[str] = ()
) -> Iterator[tuple[GitServer, ControlPlane, Kubelet]]:
    """What a team with one cluster starts from; `team` and `applier` are made beside it, empty."""
    for name in ("git", "team", "cluster", "applier"):
        (directory / name).mkdir()
    with (
        GitServer(directory / "git") as server,
        ControlPlane(directory / "cluster", apiserver_flags=apiserver_flags) as cluster,
        Kubelet(cluster.server, cluster.token, cluster.ca_file) as kubelet,
    ):
        yield server, cluster, kubelet


def deployment(image: str, name: str = "web", *, replicas: int = 1) -> str:
    """A Deployment in `shop`, as YAML with its separator."""
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }
    return yaml.safe_dump(document) + "---\n"


def config_map(name: str, **data: str) -> str:
    """A ConfigMap in `shop`, as YAML with its separator."""
    metadata = {"name": name, "namespace": "shop"}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    return yaml.safe_dump(document) + "---\n"
