"""The same commit gives the same release on every machine: real processes, as unlike as can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.release.samples import COMMIT, CONFIG, DEPLOYMENT, OBJECTS, SECRET
from tests.world import write_policy

STAGEPASS = Path(sys.executable).with_name("stagepass")
ALL = (*OBJECTS, SECRET)

HAND_WRITTEN = """\
%YAML 1.1
---
# The same four objects, as somebody else would write them.
{apiVersion: v1, kind: ConfigMap, data: {"size": "1", 'colour': "gr\\u00FCn"},
 metadata: {namespace: shop, name: settings, creationTimestamp: null, labels: {}}, status: {}}
---
---
kind: List
apiVersion: v1
items:
- kind: Secret
  apiVersion: v1
  metadata: {name: password, namespace: shop}
  data:
    password: |
      aHVudGVy
      Mg==
  type: Opaque
- rules: [{verbs: [get], resources: [pods], apiGroups: ['']}]
  kind: ClusterRole
  apiVersion: rbac.authorization.k8s.io/v1
  metadata: {name: shop-reader, annotations: null}
---
kind: Deployment
apiVersion: apps/v1
metadata:
  labels: &labels {app: checkout}
  namespace: 'shop'
  name: >-
    checkout
spec:
  replicas: 2.0
  paused: null
  selector: {matchLabels: *labels}
  template:
    metadata: {creationTimestamp: ~, labels: *labels}
    spec:
      containers:
      - {image: CHECKOUT, name: web, args: ["--port", "8080"]}
      - {image: &proxy SIDECAR, name: proxy}
      initContainers: [{name: wait, image: *proxy}]
"""


def build(
    directory: Path,
    files: Mapping[str, str],
    order: Sequence[str],
    environment: Mapping[str, str],
    umask: int,
    stdin: str = "",
) -> dict[str, bytes]:
    """`release build` in `directory`, in a process of its own; every file it wrote."""
    directory.mkdir(parents=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    write_policy(
        directory / "policy", {"pipeline.stages.0.release": {"from": ["ci"], "secrets": "salted"}}
    )
    source = f"{COMMIT.uri}@{COMMIT.commit}"
    what = ("--pipeline", "shop", "--stage", "test", "--source", source, "--path", "test")
    done = subprocess.run(
        [STAGEPASS, "release", "build", *order, *what, "--policy", "policy", "--output-dir", "out"],
        cwd=directory,
        env={"PATH": os.defpath, **environment},
        umask=umask,
        input=stdin.encode(),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return {path.name: path.read_bytes() for path in (directory / "out").iterdir()}


def dumped(objects: Sequence[Mapping[str, Any]]) -> str:
    return yaml.safe_dump_all(objects, allow_unicode=False, sort_keys=True, explicit_start=True)


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    images = [each["image"] for each in DEPLOYMENT["spec"]["template"]["spec"]["containers"]]
    by_hand = HAND_WRITTEN.replace("CHECKOUT", images[0]).replace("SIDECAR", images[1])
    one = build(
        tmp_path / "a" / "checkout",
        {"x.yaml": dumped(ALL[:2]), "y.yaml": dumped(ALL[2:])},
        ["x.yaml", "y.yaml"],
        {"TZ": "UTC", "PYTHONHASHSEED": "0", "LC_ALL": "C"},
        0o022,
    )
    other = build(
        tmp_path / "b",
        {},
        ["-"],
        {
            "TZ": "Pacific/Kiritimati",
            "PYTHONHASHSEED": "4711",
            "LC_ALL": "C.UTF-8",
            "HOME": "/nowhere",
        },
        0o077,
        stdin=by_hand,
    )
    third = build(
        tmp_path / "c",
        {
            "1.json": json.dumps(ALL[3], indent=2),
            "2.json": json.dumps({"kind": "List", "apiVersion": "v1", "items": ALL[1::-1]}),
            "0.yaml": dumped([ALL[2]]),
        },
        ["1.json", "2.json", "0.yaml"],
        {"TZ": "America/St_Johns", "PYTHONHASHSEED": "1"},
        0o777 & ~0o700,
    )

    assert one.keys() == {"release.json", "objects.json", "statement.json"}
    assert one == other == third


def test_another_value_gives_another_release(tmp_path: Path) -> None:
    """So that the test above can fail."""
    changed = {**CONFIG, "data": {**CONFIG["data"], "size": "2"}}
    pair = [
        build(tmp_path / name, {"x.yaml": dumped([each])}, ["x.yaml"], {}, 0o022)
        for name, each in (("a", CONFIG), ("b", changed))
    ]

    assert all(pair[0][name] != pair[1][name] for name in pair[0])
