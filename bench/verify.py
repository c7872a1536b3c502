"""Verify: `stagepass verify` beside `cosign verify-attestation`, each a whole process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median

from bench import whole
from bench.child import Child
from bench.figures import Goal, Is, Row, Section
from bench.site import Site, namespace
from bench.store import REPOSITORY, Store
from stagepass.predicates.members import STAGE_PASSED
from tests.cluster import tools

_PASSES = 1
_GOAL = Goal(Is.AT_MOST, 1)
_NOT_RUN = "not run: cosign is not built"
_NOTE = (
    "One image with one pass in an in-memory registry on loopback. stagepass verify decides by a policy"
    " of seven stages; cosign verify-attestation checks one key and one type (--insecure-ignore-tlog)."
    " Whole processes, {rounds} each, alternating; medians. CPU is user and system time (wait4)."
)


def measure(root: Path, *, quick: bool) -> Section:
    """The table; `root` is an empty directory."""
    rounds = 2 if quick else 15
    with Child(Store) as store:
        host: str = store.call("host")
        site = Site.create(root / "verify", host)
        (digest,) = store.call("add", site, 1, _PASSES)
        image = f"{host}/{REPOSITORY}@{digest}"
        rows = _rows(_stagepass(site, image), _cosign(site, image), site.root, rounds)
    note = _NOTE.format(rounds=rounds)
    return Section("verify", "Verify: one image", "stagepass", "cosign", note, rows)


def _stagepass(site: Site, image: str) -> list[str]:
    script = Path(sys.executable).parent / "stagepass"
    stage = namespace(_PASSES)  # named as its namespace is
    return [str(script), "verify", image, "--stage", stage, "--policy", str(site.policy)]


def _cosign(site: Site, image: str) -> list[str] | None:
    if (program := tools.binaries().get("cosign")) is None:
        return None
    key = str(site.policy / "keys" / "s1.pub")
    judge = ["--key", key, "--type", STAGE_PASSED, "--insecure-ignore-tlog"]
    return [str(program), "verify-attestation", *judge, image]


def _rows(
    stagepass: list[str], cosign: list[str] | None, home: Path, rounds: int
) -> tuple[Row, ...]:
    environment = {"PATH": os.defpath, "HOME": str(home)}
    ours, theirs = list[whole.Took](), list[whole.Took]()
    for turn in range(rounds + 1):
        mine = whole.run(stagepass, environment)
        other = whole.run(cosign, environment) if cosign else None
        if not turn:
            continue  # the first pair only warms the page cache
        ours.append(mine)
        theirs += [other] if other else []
    if cosign:
        return whole.compare(ours, theirs, _GOAL)
    return (
        Row(f"CPU ({_NOT_RUN})", "ms", median(t.cpu_ms for t in ours)),
        Row(f"wall ({_NOT_RUN})", "ms", median(t.wall_ms for t in ours)),
    )
