"""The vectors of a real API server: taking away what makes it ask, or what guards that."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tests.cluster import guard
from tests.cluster.controlplane import ORDINARY_USER
from tests.cluster.gate import Gate
from tests.cluster.watchdog import Watchdog
from tests.vectors.apiserver import case
from tests.vectors.cluster import answer

_DRY = "--dry-run=server"
_CHANGES = (
    *(guard.edit(patch, _DRY) for patch in guard.EDITS.values()),
    ("delete", *guard.CONFIGURATION, _DRY),
)
_BINDING = ("validatingadmissionpolicybinding", "stagepass-configuration")
_CONFIGURATION = "ValidatingWebhookConfiguration/stagepass"


def _all(gate: Gate, *more: str, as_user: str | None = None) -> str:
    """What comes of every change, tried on the server and not kept."""
    said = {answer(gate, *change, *more, as_user=as_user) for change in _CHANGES}
    return ", ".join(sorted(_who(each) for each in said))


def _who(said: str) -> str:
    return "denied by the guard" if "ValidatingAdmissionPolicy 'stagepass-" in said else said


def _administrator_of_namespace(gate: Gate) -> str:
    """Whoever may do everything in the namespace."""
    role = ("--clusterrole=admin", f"--user={ORDINARY_USER}")
    gate.kubectl("create", "rolebinding", "admin", *role)
    may = ("auth", "can-i", "create", "pods")
    gate.wait_for(lambda: gate.kubectl(*may, as_user=ORDINARY_USER, check=False).stdout == "yes\n")
    delete = answer(gate, "delete", *_BINDING, _DRY, as_user=ORDINARY_USER)
    return ", ".join(sorted({_all(gate, as_user=ORDINARY_USER), delete}))


def _guarded(*more: str) -> Callable[[Gate], str]:
    def ask(gate: Gate) -> str:
        with guard.guarded(gate.control_plane, guard.PROBE):
            return _all(gate, *more)

    return ask


def _told(what: str, *command: str) -> Callable[[Gate], str]:
    """A change for real, and whether the watchdog has told of it within a minute."""

    def ask(gate: Gate) -> str:
        kubectl = gate.control_plane.kubectl
        access = str(guard.GUARD / "watchdog-access.yaml")
        folder = gate.directory / f"{gate.namespace}-watchdog"
        files = folder / "files"
        files.mkdir(parents=True)
        shutil.copy(gate.directory / "configuration.yaml", files)
        shutil.copy(guard.POLICIES, files)
        kubectl("apply", "-f", str(guard.BASE / "namespace.yaml"))
        kubectl("apply", "-f", access)
        try:
            with (
                guard.guarded(gate.control_plane, guard.PROBE),
                Watchdog(gate.control_plane, files, folder / "process", 1) as watchdog,
            ):
                watchdog.wait_for(lambda w: set(w.states().values()) == {0})
                said = answer(gate, *command)
                watchdog.wait_for(lambda w: w.states()[what] == 1)
                others = watchdog.states().values()
                kubectl("apply", "-f", str(files), *guard.BREAK_GLASS)
                watchdog.wait_for(lambda w: set(w.states().values()) == {0})
        finally:
            kubectl("delete", "-f", access)
        return f"{said}; the watchdog tells of {sum(state == 1 for state in others)}"

    return ask


CONFIGURATION_CHANGES = (
    case("as administrator of the namespace", _administrator_of_namespace, "forbidden by RBAC"),
    case("as administrator of the cluster: 10 edits, deleted", _guarded(), "denied by the guard"),
    case("as member of stagepass:break-glass", _guarded(*guard.BREAK_GLASS), "admitted"),
    case(
        "as the same: failurePolicy Ignore, for real",
        _told(
            _CONFIGURATION,
            *guard.edit(guard.EDITS["failurePolicy Ignore"]),
            *guard.BREAK_GLASS,
        ),
        "admitted; the watchdog tells of 1",
    ),
)
GUARD_CHANGES = (
    case(
        "as administrator of the cluster: binding deleted",
        _told(f"ValidatingAdmissionPolicyBinding/{_BINDING[1]}", "delete", *_BINDING),
        "admitted; the watchdog tells of 1",
    ),
)
