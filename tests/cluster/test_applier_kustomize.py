"""deploy/applier-kustomize on a real API server: the overlay of the manual is admitted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.cluster.delivery import APPLIER, ROOT, one_cluster

pytestmark = pytest.mark.cluster


def test_the_overlays_pod_passes_the_restricted_standard(tmp_path: Path) -> None:
    """With the profile for the container alone: the Pod's, and so its sandbox's, stays the default."""
    overlay = tmp_path / "deploy" / "mine"
    for name in ("applier", "applier-kustomize", "crds"):
        shutil.copytree(ROOT / "deploy" / name, overlay.parent / name)
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../applier]\ncomponents: [../applier-kustomize]\n"
    )
    place = tmp_path / "cluster"
    place.mkdir()
    with one_cluster(place) as (_, cluster, _):
        text = cluster.kubectl("kustomize", str(overlay)).stdout
        (made,) = (d for d in yaml.safe_load_all(text) if d["kind"] == "Deployment")
        pod = made["spec"]["template"]["spec"]
        cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "applier" / "namespace.yaml"))
        cluster.kubectl("-n", APPLIER, "create", "serviceaccount", "stagepass-applier")
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": pod}
        create = ("create", "--dry-run=server", "-n", APPLIER, "-f", "-")
        done = cluster.kubectl(*create, stdin=json.dumps(manifest), check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"]["seccompProfile"] == {
        "type": "Localhost",
        "localhostProfile": "stagepass-applier.json",
    }
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
