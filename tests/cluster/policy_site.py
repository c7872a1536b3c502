"""A policy repository, an applier that brings its sets to a ConfigMap, and a gate fed by that volume."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from stagepass.policy.packed import PACKED_FILE
from stagepass.policy.store import read_directory, sign_directory
from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane
from tests.simulators.configmap_volume import ConfigMapVolume
from tests.simulators.git import GitServer
from tests.webhook.reviews import create
from tests.webhook.server import ROOT, Server, wait_until
from tests.webhook.shop import CLUSTER, Shop
from tests.world import DAY, signer

WARN = {"pipeline.stages.1.enforcement": "warn"}
"""Under this change the gate admits, with a warning, what nobody attested."""


class PolicySite:
    """
    A context manager; everything runs inside the block. `settings` are the applier's, `sync` the
    seconds between two looks of the kubelet at the volume.
    """

    def __init__(
        self, directory: Path, cluster: ControlPlane, *, sync: float = 0.1, **settings: str
    ) -> None:
        self.directory, self.cluster, self._sync, self._settings = (
            directory,
            cluster,
            sync,
            settings,
        )
        self.shop = Shop(directory / "shop")
        self.namespace, self.gate_namespace = cluster.namespace("applier"), cluster.namespace("sys")
        self.log_file, self.root_key = directory / "applier.log", directory / "root.pub"
        self.root_key.write_bytes(signer("root").public_pem)
        self._key = directory / "cluster.key"
        self._key.write_bytes(signer("staging-cluster").private_pem)
        self._key.chmod(0o600)
        for name in ("git", "applier", "gate", "gate-state"):
            (directory / name).mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.git = stack.enter_context(GitServer(self.directory / "git"))
            self.repository = self.git.create("policy")
            self.publish()
            stack.callback(self.kill)
            self.start()
            volume = ConfigMapVolume(
                *(self.cluster.server, self.cluster.token, self.cluster.ca_file),
                namespace=self.gate_namespace,
                name="stagepass-policy",
                directory=self.directory / "volume",
                sync=self._sync,
            )
            wait_until(self._has_delivered)
            self.volume = stack.enter_context(volume)
            wait_until(lambda: volume.updates)
            self.gate = stack.enter_context(
                Server(
                    self.directory / "gate",
                    self.shop,
                    POLICY=str(volume.directory),
                    POLICY_ROOT_KEY=str(self.root_key),
                    STATE_DIR=str(self.directory / "gate-state"),
                )
            )
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> None:
        """Start the applier."""
        settings = {
            "CLUSTER": CLUSTER,
            "POLICY_GIT": self.git.url("policy"),
            "POLICY_PATH": "sets/shop",
            "POLICY_ROOT_KEY": str(self.root_key),
            "KEY": str(self._key),
            "EVIDENCE": f"dir:{self.shop.evidence}",
            "NAMESPACE": self.namespace,
            "GATE_NAMESPACE": self.gate_namespace,
            "STATE_DIR": str(self.directory / "applier"),
            "KUBECTL": str(tools.binaries()["kubectl"]),
            "GIT_POLL": "0.2",
            **self._settings,
        }
        setpriv = shutil.which("setpriv")
        leash = [setpriv, "--pdeathsig=KILL"] if setpriv else []
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*leash, sys.executable, "-m", "applier", "run"),
                    *("--kubeconfig", str(self.cluster.directory / "kubeconfig")),
                ],
                cwd=ROOT,
                env={
                    **{f"STAGEPASS_{name}": value for name, value in settings.items()},
                    "PATH": os.environ.get("PATH", os.defpath),
                    "HOME": str(self.directory),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _has_delivered(self) -> bool:
        ended = self._process is None or self._process.poll() is not None
        assert not ended, self.log_file.read_text()[-3000:]
        return self.delivered() != b""

    def kill(self) -> None:
        """SIGKILL for the applier."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def write(self, changes: dict[str, Any] | None = None, *, by: str = "root") -> dict[str, bytes]:
        """The shop's set with `changes`, signed anew; its files. Nothing is committed."""
        self.shop.write(self.shop.variant(changes or {}))
        now = datetime.now(UTC)
        sign_directory(self.shop.policy, signer(by).private, issued=now, expires=now + DAY)
        return read_directory(self.shop.policy)

    def commit(self, files: dict[str, bytes], subject: str = "policy") -> str:
        """Make them the set on `main`, beside what is no part of it."""
        inside = {f"sets/shop/{name}": data for name, data in files.items()}
        beside = {"README.md": b"policy", "sets/shop/.editorconfig": b"[*]"}
        return self.repository.commit("main", {**beside, **inside}, subject)

    def publish(self, changes: dict[str, Any] | None = None) -> str:
        """Sign and commit; the commit."""
        return self.commit(self.write(changes))

    def delivered(self) -> bytes:
        """What the ConfigMap holds, b"" while there is none."""
        return base64.b64decode(self.config_map().get("binaryData", {}).get(PACKED_FILE, ""))

    def config_map(self) -> dict[str, Any]:
        """The ConfigMap, {} while there is none."""
        get = ("-n", self.gate_namespace, "get", "configmap", "stagepass-policy", "-o", "json")
        done = self.cluster.kubectl(*get, check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def revision(self) -> str:
        """Of the set that the gate has in force."""
        revision: str = self.gate.get("/readyz").json["policyRevision"]
        return revision

    def admits(self) -> bool:
        """Does the gate let in what nobody attested?"""
        allowed: bool = self.gate.judge(create(self.shop.image()))["allowed"]
        return allowed

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the applier logged under that name."""
        lines = (x for x in self.log_file.read_text().splitlines() if x.startswith("{"))
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def wait_told(self, name: str, text: str) -> None:
        """Until the applier has logged an error that holds `text`."""
        wait_until(lambda: any(text in str(event["errors"]) for event in self.events(name)), 20)
