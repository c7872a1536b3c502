"""From a Deployment of deploy/ to the container that a kubelet would make of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.images.container import USER, Container, Image

ROOT = Path(__file__).parents[2]


def container_of(
    manifest: Path,
    image: Image,
    runtime: str,
    volumes: Path,
    environment: Mapping[str, str],
    seccomp: Mapping[str, Any] | None,
) -> Container:
    """
    The container of the one Deployment in `manifest`.

    `volumes` holds a directory for each volume; `environment` comes on top of what the manifest says,
    and a value of "" takes a variable away. What says who it runs as is checked, not read.
    """
    pod = yaml.safe_load(manifest.read_text())["spec"]["template"]["spec"]
    (spec,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == USER
    assert spec["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    told = {each["name"]: each["value"] for each in spec["env"] if "value" in each}
    mounts = {each["mountPath"]: volumes / each["name"] for each in spec["volumeMounts"]}
    writable = {each["mountPath"] for each in spec["volumeMounts"] if not each.get("readOnly")}
    return Container(
        image,
        runtime,
        mounts,
        frozenset(writable),
        {name: value for name, value in {**told, **environment}.items() if value},
        seccomp,
    )


def directories(volumes: Path, *names: str) -> None:
    """Volumes that the container may write to, as an `emptyDir` is with our `fsGroup`."""
    for name in names:
        (volumes / name).mkdir(parents=True)
        os.chown(volumes / name, 0, USER)
        (volumes / name).chmod(0o2777)
