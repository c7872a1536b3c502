"""Seccomp profiles as OCI runtimes take them: our own, and what container engines give by default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OURS = ROOT / "deploy" / "applier" / "seccomp" / "stagepass-applier.json"
PODMAN = Path("/usr/share/containers/seccomp.json")
"""`RuntimeDefault` of Podman, as Debian's package golang-github-containers-common brings it."""
DOCKER = Path("/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json")
"""Docker's, whose rules containerd shares, as golang-github-docker-docker-dev brings it."""


def read(path: Path) -> dict[str, Any]:
    """A profile for a process without any capability on amd64; conditions of engines are resolved."""
    document = json.loads(path.read_text())
    found: dict[str, Any] = {
        "defaultAction": document["defaultAction"],
        "architectures": document.get("architectures", ["SCMP_ARCH_X86_64"]),
        "syscalls": [_plain(each) for each in document["syscalls"] if _applies(each)],
    }
    if document.get("defaultErrnoRet") is not None:
        found["defaultErrnoRet"] = document["defaultErrnoRet"]
    return found


def _applies(rule: Mapping[str, Any]) -> bool:
    """`excludes` of capabilities never match: there are none."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    here = "amd64" in includes.get("arches", ["amd64"])
    return not includes.get("caps") and here and "amd64" not in excludes.get("arches", ())


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: rule[key] for key in ("names", "action") if key in rule}
    return kept | {key: rule[key] for key in ("args", "errnoRet") if rule.get(key) is not None}
