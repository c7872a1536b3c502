"""The applier's image as its Deployment runs it, against a real API server: commits to passes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.applier.test_git_signatures import GpgKey, SshKey
from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import Team, deployment, one_cluster
from tests.cluster.test_applier_deploy import Installed
from tests.images.container import USER, Image, Running
from tests.images.deployment import ROOT, container_of, directories
from tests.simulators.registry import Registry

_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_KUSTOMIZATION = b"resources: [web.yaml]\ncommonAnnotations: {team: shop}\n"


class ApplierInContainer(Installed):
    """`Installed`, whose process is a container that finds the API server as a Pod does."""

    def __init__(
        self,
        team: Team,
        cluster: ControlPlane,
        directory: Path,
        image: Image,
        runtime: str,
        seccomp: Mapping[str, Any],
    ) -> None:
        super().__init__(team, "test", cluster, directory)
        self._image, self._runtime, self._seccomp = image, runtime, seccomp
        self._running: Running | None = None

    def start(self) -> None:
        """Its volumes, its token and its container."""
        volumes = self.directory / "volumes"
        directories(volumes, "tmp", "state")
        for name in ("key", "git", "docker", "token"):
            (volumes / name).mkdir()
        (volumes / "docker" / "config.json").write_text("{}")
        shutil.copy(self.team.directory / "test.key", volumes / "key" / "cluster.key")
        os.chown(volumes / "key" / "cluster.key", 0, USER)
        (volumes / "key" / "cluster.key").chmod(0o440)
        token = self.cluster.kubectl(
            "-n", "stagepass-applier", "create", "token", "stagepass-applier"
        )
        (volumes / "token" / "token").write_text(token.stdout.strip())
        shutil.copy(self.cluster.ca_file, volumes / "token" / "ca.crt")
        (volumes / "root-key").mkdir()
        container = container_of(
            ROOT / "deploy" / "applier" / "deployment.yaml",
            self._image,
            self._runtime,
            volumes,
            self._told(),
            self._seccomp,
        )
        container = container.with_mounts(
            {str(_TOKEN): volumes / "token", "/etc/stagepass/policy": self.team.policy}
        )
        self._running = container.start(self.directory / "bundle", output=self.log_file)
        self._process = self._running.process

    def kill(self) -> None:
        """SIGKILL, and nothing left."""
        if self._running is not None:
            self._running.__exit__()
        self._process = None

    def _told(self) -> dict[str, str]:
        """The policy is a directory here, so there is no root key; and all is a little quicker."""
        api = urlsplit(self.cluster.server)
        return {
            "KUBERNETES_SERVICE_HOST": api.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(api.port),
            "STAGEPASS_CLUSTER": "test",
            "STAGEPASS_POLICY_ROOT_KEY": "",
            "STAGEPASS_METRICS_BIND": "",
            "STAGEPASS_GIT_POLL": "0.3",
            "STAGEPASS_LOOK": "2",
            "STAGEPASS_RETRY": "0.5",
        }


def check_applier(directory: Path, image: Image, runtime: str, seccomp: Mapping[str, Any]) -> None:
    """A Kustomize source, commits signed by SSH and OpenPGP. Raises `AssertionError`."""
    with (
        tempfile.TemporaryDirectory(prefix="sp-gpg-") as home,
        Registry() as registry,
        one_cluster(directory) as (server, cluster, _),
    ):
        team = Team(directory / "team", server, registry=registry)
        ssh, gpg = SshKey(directory, "dev"), GpgKey(Path(home), "dev@example.org")
        (team.policy / "keys" / "signers").write_bytes(ssh.allowed())
        (team.policy / "keys" / "dev.asc").write_bytes(gpg.public)
        signers = {"ssh": "keys/signers", "gpg": "keys/dev.asc"}
        team.write_policy(lambda stages: stages[0]["source"].update(commitSigners=signers))
        with ApplierInContainer(
            team, cluster, directory / "applier", image, runtime, seccomp
        ) as delivery:
            for sign in (ssh.sign, gpg.sign):
                web = deployment(team.attest(team.image())).encode()
                files = {"test/kustomization.yaml": _KUSTOMIZATION, "test/web.yaml": web}
                delivery.wait_passed(team.repository.commit("main", files, "change", sign))
                made = delivery.live("deployment", "web")
                assert made["metadata"]["annotations"]["team"] == "shop", made
