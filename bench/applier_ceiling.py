"""What the same objects cost without an applier: the raw ceiling of the API server, and kubectl."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.cluster import tools
from tests.cluster.controlplane import ControlPlane

THREADS = 4
"""The knee on two cores: with eight of them it is slower (applier-baseline section 4)."""
_HEADERS = {"Content-Type": "application/apply-patch+yaml", "User-Agent": "raw"}


def config_map(number: int, namespace: str, *, colour: str = "blue") -> dict[str, Any]:
    """About 0.5 KB when it is live."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"cm-{number:04}", "namespace": namespace},
        "data": {"colour": colour, "number": str(number), "text": "x" * 120},
    }


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Seconds for all objects where none was there, and again where all were."""

    cold: float
    unchanged: float


def raw(cluster: ControlPlane, count: int) -> Ceiling:
    """Server-side apply over kept connections, four at a time, with nothing around it."""
    cluster.kubectl("create", "namespace", "raw")
    bodies = [config_map(number, "raw") for number in range(count)]
    pool = urllib3.PoolManager(
        maxsize=THREADS,
        ca_certs=str(cluster.ca_file),
        headers={**_HEADERS, "Authorization": f"Bearer {cluster.token}"},
    )
    return Ceiling(_apply_all(pool, cluster, bodies), _apply_all(pool, cluster, bodies))


def _apply_all(
    pool: urllib3.PoolManager, cluster: ControlPlane, bodies: Sequence[Mapping[str, Any]]
) -> float:
    def apply(body: Mapping[str, Any]) -> int:
        path = f"/api/v1/namespaces/raw/configmaps/{body['metadata']['name']}"
        url = f"{cluster.server}{path}?fieldManager=raw&force=true"
        return pool.request("PATCH", url, body=json.dumps(body), retries=False).status

    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        answers = set(threads.map(apply, bodies))
    assert answers <= {200, 201}, answers
    return time.perf_counter() - start


def kubectl(cluster: ControlPlane, count: int, root: Path) -> Ceiling:
    """`kubectl apply --server-side -f` of one file."""
    cluster.kubectl("create", "namespace", "kubectl")
    file = root / "objects.json"
    items = [config_map(number, "kubectl") for number in range(count)]
    file.write_text("".join(json.dumps(item) + "\n---\n" for item in items))
    command = [
        *(str(tools.binaries()["kubectl"]), "--kubeconfig", str(cluster.directory / "kubeconfig")),
        *("apply", "--server-side", "-f", str(file)),
    ]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        seconds.append(time.perf_counter() - start)
    return Ceiling(*seconds)
