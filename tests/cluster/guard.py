"""The guard of deploy/guard in force on a real API server, and what its refusals look like."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.cluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[2]
BASE, GUARD = ROOT / "deploy" / "base", ROOT / "deploy" / "guard"
POLICIES = GUARD / "policies.yaml"
NAMESPACE = "stagepass-system"
CONFIGURATION = ("validatingwebhookconfiguration", "stagepass")
BREAK_GLASS = ("--as=carol", "--as-group=system:masters", "--as-group=stagepass:break-glass")

Patch = list[dict[str, Any]]
_CLIENT = "/webhooks/0/clientConfig"
EDITS: dict[str, Patch] = {
    "rules narrowed": [{"op": "remove", "path": "/webhooks/0/rules/0"}],
    "one resource less": [{"op": "remove", "path": "/webhooks/0/rules/0/resources/0"}],
    "caBundle swapped": [{"op": "add", "path": f"{_CLIENT}/caBundle", "value": "QUJD"}],
    "another service": [
        {"op": "add", "path": _CLIENT, "value": {"service": {"name": "a", "namespace": "b"}}}
    ],
    "failurePolicy Ignore": [{"op": "add", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}],
    "namespaceSelector emptied": [{"op": "remove", "path": "/webhooks/0/namespaceSelector"}],
    "namespaceSelector for nothing": [
        {
            "op": "add",
            "path": "/webhooks/0/namespaceSelector",
            "value": {"matchLabels": {"gate": "on"}},
        }
    ],
    "objectSelector added": [
        {
            "op": "add",
            "path": "/webhooks/0/objectSelector",
            "value": {"matchLabels": {"gate": "on"}},
        }
    ],
    "matchConditions added": [
        {
            "op": "add",
            "path": "/webhooks/0/matchConditions",
            "value": [{"name": "a", "expression": "false"}],
        }
    ],
    "no webhook left": [{"op": "remove", "path": "/webhooks"}],
}
"""Changes that take the gate out of a request's way, as JSON patches."""


def wait_for(is_so: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Poll until it is so; policies come into force and go out of it by a tick of one second."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not in {seconds:g} s: {what}"
        time.sleep(0.05)


def edit(patch: Patch, *more: str) -> tuple[str, ...]:
    """The kubectl command that patches the configuration."""
    return ("patch", *CONFIGURATION, "--type=json", "-p", json.dumps(patch), *more)


def is_refused(done: CompletedProcess[str], policy: str) -> bool:
    """Whether that policy of the guard said no."""
    said = f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request"
    return done.returncode == 1 and said in done.stderr


@contextmanager
def guarded(control_plane: ControlPlane, *probes: tuple[str, tuple[str, ...]]) -> Iterator[None]:
    """
    Inside, the policies of the guard are in force; after it, they are not.

    `probes` are pairs of a policy and a kubectl command, dry, that it refuses.
    """

    def refusals() -> list[bool]:
        tried = ((name, control_plane.kubectl(*c, check=False)) for name, c in probes)
        return [is_refused(done, name) for name, done in tried]

    control_plane.kubectl("apply", "-f", str(POLICIES))
    try:
        wait_for(lambda: all(refusals()), "the guard is in force")
        yield
    finally:
        control_plane.kubectl("delete", "-f", str(POLICIES), "--ignore-not-found")
        wait_for(lambda: not any(refusals()), "the guard is out of force")


PROBE = ("stagepass-configuration", ("delete", *CONFIGURATION, "--dry-run=server"))
