"""The webhook's image as its Deployment runs it: it gets ready, judges, and ends when it is told to."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.images.container import USER, Image, Running
from tests.images.deployment import ROOT, container_of, directories
from tests.images.seccomp import PODMAN, read
from tests.webhook.reviews import pod_spec, review, workload
from tests.webhook.server import Server, issue
from tests.webhook.shop import CLUSTER, Shop


class GateInContainer(Server):
    """`Server`, whose process is a container under the seccomp profile of Podman."""

    def __init__(self, directory: Path, shop: Shop, image: Image, runtime: str) -> None:
        super().__init__(directory, shop, workers=2)
        self._image, self._runtime = image, runtime

    def _start(self) -> subprocess.Popen[bytes]:
        self._reserved.close()  # another user may not share the port
        volumes = self.directory / "volumes"
        directories(volumes, "tmp", "cache")
        shutil.copytree(self.shop.evidence, volumes / "tmp" / "evidence")
        shutil.copytree(self.shop.policy / "keys", volumes / "policy-keys")
        shutil.copytree(self.shop.policy, volumes / "policy")
        shutil.copytree(self.tls, volumes / "tls")
        (volumes / "tls").chmod(0o755)
        for file in (volumes / "tls").iterdir():
            os.chown(file, 0, USER)
            file.chmod(0o440)
        settings = {
            "STAGEPASS_BIND": f"127.0.0.1:{self.port}",
            "STAGEPASS_CLUSTER": CLUSTER,
            "STAGEPASS_EVIDENCE": "dir:/tmp/evidence",  # of the container
        }
        manifest = ROOT / "deploy" / "base" / "deployment.yaml"
        profile = read(PODMAN)
        container = container_of(manifest, self._image, self._runtime, volumes, settings, profile)
        self._err.touch()
        self._running: Running = container.start(self.directory / "bundle", output=self._out)
        return self._running.process

    def __exit__(self, *_: object) -> None:
        try:
            super().__exit__()
        finally:
            self._running.__exit__()


def check_gate(directory: Path, image: Image, runtime: str) -> None:
    """Raises `AssertionError`."""
    shop = Shop(directory)
    passed, unknown = shop.passed(), shop.image()
    issue(directory / "tls")
    with GateInContainer(directory, shop, image, runtime) as gate:
        assert gate.get("/healthz").status == 200
        assert gate.get("/readyz").status == 200
        assert gate.judge(review(workload(pod_spec(passed))))["allowed"] is True
        assert gate.judge(review(workload(pod_spec(unknown))))["allowed"] is False
        gate.terminate()
        assert gate.wait(20) == 0, gate._out.read_text()[-2000:]
