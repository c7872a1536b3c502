"""A release made, signed and verified by whole processes, and how fast objects are digested."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import rfc8785
import yaml

from bench import processes, released, workload
from bench.figures import Goal, Is, Row
from bench.released import LIVE, SIGNER
from bench.site import PIPELINE, Site
from stagepass import canonical
from stagepass.digest import Digest

_HOST = "registry.example.com"
_FASTER = Goal(Is.AT_LEAST, 4)
_SECONDS, _PEAK = Goal(Is.AT_MOST, 5), Goal(Is.AT_MOST, 128)
_COMMIT = "git+https://git.example.com/shop@" + "c0ffee" * 6 + "c0ff"
_LOOK_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Took:
    """One whole process: seconds from fork to exit, of CPU, and the most MiB it ever held."""

    seconds: float
    cpu: float
    peak_mib: float


def digests(*, rounds: int) -> list[Row]:
    """MB/s of the sha256 of the canonical form of the object of 50 KB, as the two ways follow each other."""
    images = [f"{_HOST}/{name}@{Digest.of(name.encode())}" for name in ("checkout", "proxy")]
    source = workload.live(workload.deployment(images, LIVE))
    assert canonical.dumps(source) == rfc8785.dumps(source)
    size = len(canonical.dumps(source)) / 1e6
    ours, reference = list[float](), list[float]()
    for _ in range(rounds):
        ours.append(size / _seconds(canonical.dumps, source, 200))
        reference.append(size / _seconds(rfc8785.dumps, source, 20))
    ratio = median(a / b for a, b in zip(ours, reference, strict=True))
    row = Row("canonical digest", "MB/s", median(ours), median(reference), ratio, _FASTER)
    return [row]


def release(root: Path, *, objects: int) -> list[Row]:
    """`stagepass release build`, `attest` and `verify` of that many objects, a quarter Deployments."""
    site = released.create(root / "build", _HOST)
    rendered, built = site.root / "rendered.yaml", site.root / "built"
    documents = [each for number in range(objects // 4) for each in _application(number)]
    rendered.write_text(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))
    size, evidence = rendered.stat().st_size / 1e6, f"dir:{site.root / 'evidence'}"
    where = ["--pipeline", PIPELINE, "--stage", LIVE, "--source", _COMMIT, "--path", "live"]
    policy = ["--policy", str(site.policy)]
    build = _run(site, "build", str(rendered), *where, "--output-dir", str(built))
    key = ["--key", str(site.key(SIGNER))]
    attest = _run(site, "attest", str(built), *key, *policy, "--evidence", evidence)
    verify = _run(site, "verify", str(built), *policy, "--evidence", evidence, "--offline")
    who = f"release of {len(documents)} objects"
    return [
        *_rows(f"{who} ({size:.1f} MB of YAML) built", build),
        *_rows(f"{who} signed and stored", attest),
        *_rows(f"{who} verified", verify),
    ]


def _rows(what: str, took: Took) -> list[Row]:
    return [
        Row(what, "s", took.seconds, goal=_SECONDS),
        Row(f"{what}: CPU", "s", took.cpu),
        Row(f"{what}: peak memory", "MiB", took.peak_mib, goal=_PEAK),
    ]


def _seconds(dumps: Callable[[Any], bytes], source: Any, times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        hashlib.sha256(dumps(source)).hexdigest()
    return (time.process_time() - started) / times


def _run(site: Site, *arguments: str) -> Took:
    """
    One `stagepass release`, silent. Raises `AssertionError` where it exits with anything but 0.

    Memory is looked at while it runs: what wait4 says of a child begins with what its parent held.
    """
    command = [str(Path(sys.executable).parent / "stagepass"), "release", *arguments]
    environment = {"PATH": os.defpath, "HOME": str(site.root)}
    log, peak = site.root / "release.log", 0.0
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            with suppress(OSError, ValueError):  # it has just ended
                peak = max(peak, processes.peak_mib(process.pid))
            time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    assert process.returncode == 0, log.read_text()
    return Took(seconds, ended[2].ru_utime + ended[2].ru_stime, peak)


def _application(number: int) -> list[dict[str, Any]]:
    """A Deployment, its Service, its settings, and who may reach it."""
    name = f"app-{number:04}"
    image = f"{_HOST}/shop/{name}@{Digest.of(name.encode())}"
    labels = {"app.kubernetes.io/name": name}
    deployment = json.loads(json.dumps(workload.deployment([image], LIVE, 10)))
    metadata = {"name": name, "namespace": LIVE, "labels": labels}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    policy = {"podSelector": {"matchLabels": labels}, "ingress": [{"ports": [{"port": 8080}]}]}
    return [
        {**deployment, "metadata": metadata},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": ports},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {f"setting-{k}": "x" * 60 for k in range(20)},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": policy,
        },
    ]
