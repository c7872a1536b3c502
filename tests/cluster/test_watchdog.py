"""`python -m webhook watch` on a real API server: every edit is told, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.guard import (
    BASE,
    CONFIGURATION,
    EDITS,
    GUARD,
    NAMESPACE,
    POLICIES,
    ROOT,
    edit,
    wait_for,
)
from tests.cluster.watchdog import CHECKED, Watchdog
from tests.webhook.server import issue

pytestmark = pytest.mark.cluster

GATE = "ValidatingWebhookConfiguration/stagepass"
NAMES = ("stagepass-configuration", "stagepass-namespace", "stagepass-parts")
WATCHED = {
    GATE,
    *(f"ValidatingAdmissionPolicy/{name}" for name in NAMES),
    *(f"ValidatingAdmissionPolicyBinding/{name}" for name in NAMES),
}
Run = Callable[[ControlPlane], object]


@pytest.fixture(scope="module")
def files(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """
    What is wanted, in force: the shipped configuration with a CA, and the shipped policies.

    Their bindings only warn, here as in the files, so that a test may do what it should be told of.
    """
    directory, tls = tmp_path_factory.mktemp("watch"), tmp_path_factory.mktemp("tls")
    configuration = directory / "configuration.yaml"
    configuration.write_bytes((BASE / "validatingwebhookconfiguration.yaml").read_bytes())
    issue(tls / "pair")
    inject = ("inject", str(configuration), "--ca", str(tls / "pair" / "ca.crt"))
    subprocess.run([sys.executable, "-m", "certs", *inject], cwd=ROOT, check=True)
    text = POLICIES.read_text().replace("validationActions: [Deny]", "validationActions: [Audit]")
    (directory / "policies.yaml").write_text(text)
    kubectl = control_plane.kubectl
    kubectl("apply", "-f", str(BASE / "namespace.yaml"))
    kubectl("apply", "-f", str(GUARD / "watchdog-access.yaml"))
    kubectl("apply", "-f", str(directory))
    yield directory
    kubectl("delete", "-f", str(directory), "--ignore-not-found")
    kubectl("delete", "-f", str(GUARD / "watchdog-access.yaml"), "--ignore-not-found")


@pytest.fixture
def watchdog(control_plane: ControlPlane, files: Path, tmp_path: Path) -> Iterator[Watchdog]:
    """One that looks twice a second and has found everything as it should be."""
    restore(control_plane, files)
    with Watchdog(control_plane, files, tmp_path / "watchdog", interval=0.5) as running:
        running.wait_for(lambda w: w.states() == dict.fromkeys(WATCHED, 0))
        yield running


@pytest.fixture(scope="module")
def running(
    control_plane: ControlPlane, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watchdog]:
    """One for all the edits, which looks twice a second."""
    folder = tmp_path_factory.mktemp("watchdog")
    with Watchdog(control_plane, files, folder, interval=0.5) as started:
        yield started


def restore(plane: ControlPlane, files: Path) -> None:
    """As in the files. An apply alone leaves what somebody else has added, like a selector."""
    plane.kubectl("apply", "-f", str(files))
    plane.kubectl("replace", "-f", str(files))


def kubectl(*command: str) -> Run:
    return lambda plane: plane.kubectl(*command)


def test_the_same_file_applied_again_is_no_drift(
    control_plane: ControlPlane, files: Path, watchdog: Watchdog
) -> None:
    """Nor what the API server fills in, labels, annotations, or a server-side apply."""
    force = ("--server-side", "--force-conflicts")
    control_plane.kubectl("apply", "-f", str(files))
    control_plane.kubectl("label", *CONFIGURATION, "a=b")
    control_plane.kubectl("annotate", *CONFIGURATION, "a=b")
    control_plane.kubectl("apply", "-f", str(files), *force)
    now = time.time()

    watchdog.wait_for(lambda w: min(w.states(CHECKED).values()) > now)
    watchdog.wait_for(lambda w: min(w.states(CHECKED).values()) > now + 1)
    assert watchdog.states() == dict.fromkeys(WATCHED, 0)
    assert {line["event"] for line in watchdog.lines} == {"watch.files", "watch.same"}


POLICY = ("validatingadmissionpolicy", "stagepass-configuration")
BINDING = ("validatingadmissionpolicybinding", "stagepass-configuration")
FIRST = "webhooks[gate.stagepass.dev]"
FIELDS = {
    "rules narrowed": f"{FIRST}.rules[2]",
    "one resource less": f"{FIRST}.rules[0].resources[0]",
    "caBundle swapped": f"{FIRST}.clientConfig.caBundle",
    "another service": f"{FIRST}.clientConfig.service.name",
    "failurePolicy Ignore": f"{FIRST}.failurePolicy",
    "namespaceSelector emptied": f"{FIRST}.namespaceSelector.matchExpressions",
    "namespaceSelector for nothing": f"{FIRST}.namespaceSelector.matchLabels",
    "objectSelector added": f"{FIRST}.objectSelector.matchLabels",
    "matchConditions added": f"{FIRST}.matchConditions",
    "no webhook left": FIRST,
}
DRILL: dict[str, tuple[str, Run, str]] = {
    **{f"B42 {name}": (GATE, kubectl(*edit(EDITS[name])), field) for name, field in FIELDS.items()},
    "B42 deleted": (GATE, kubectl("delete", *CONFIGURATION), "ValidatingWebhookConfiguration"),
    "B43 policy deleted": (
        f"ValidatingAdmissionPolicy/{POLICY[1]}",
        kubectl("delete", *POLICY),
        "ValidatingAdmissionPolicy",
    ),
    "B43 policy narrowed": (
        f"ValidatingAdmissionPolicy/{POLICY[1]}",
        kubectl(
            *("patch", *POLICY, "--type=json", "-p"),
            '[{"op": "replace", "path": "/spec/matchConditions/0/expression", "value": "false"}]',
        ),
        "spec.matchConditions[of-the-gate].expression",
    ),
    "B43 binding deleted": (
        f"ValidatingAdmissionPolicyBinding/{BINDING[1]}",
        kubectl("delete", *BINDING),
        "ValidatingAdmissionPolicyBinding",
    ),
    "B43 binding only warns": (
        f"ValidatingAdmissionPolicyBinding/{BINDING[1]}",
        kubectl("patch", *BINDING, "-p", '{"spec": {"validationActions": ["Warn"]}}'),
        "spec.validationActions[0]",
    ),
}


@pytest.mark.parametrize(("what", "change", "field"), DRILL.values(), ids=DRILL)
def test_every_edit_is_told_with_its_field_and_so_is_its_end(
    control_plane: ControlPlane,
    files: Path,
    running: Watchdog,
    what: str,
    change: Run,
    field: str,
) -> None:
    watchdog = running
    restore(control_plane, files)
    watchdog.wait_for(lambda w: w.states() == dict.fromkeys(WATCHED, 0))
    seen = len(watchdog.lines)

    change(control_plane)
    watchdog.wait_for(lambda w: w.states()[what] == 1)

    assert watchdog.states() == {**dict.fromkeys(WATCHED, 0), what: 1}
    (line,) = (line for line in watchdog.lines[seen:] if line["event"] == "watch.drift")
    assert (line["level"], line["object"]) == ("error", what)
    named = [each["field"] for each in line["fields"]]
    assert [name for name in named if name == field or name.startswith(f"{field}.")]

    restore(control_plane, files)
    watchdog.wait_for(lambda w: w.states()[what] == 0)
    assert watchdog.lines[-1]["event"] == "watch.same"


def test_an_extra_webhook_is_told(control_plane: ControlPlane, watchdog: Watchdog) -> None:
    shown = json.loads(control_plane.kubectl("get", *CONFIGURATION, "-o", "json").stdout)
    (webhook,) = shown["webhooks"]
    more = [
        {"op": "add", "path": "/webhooks/-", "value": {**webhook, "name": "more.stagepass.dev"}}
    ]
    control_plane.kubectl(*edit(more))

    watchdog.wait_for(lambda w: w.states()[GATE] == 1)
    assert watchdog.fields() == {"webhooks[more.stagepass.dev]"}


def test_the_drill_at_the_shipped_pace(
    control_plane: ControlPlane,
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R28: how long each edit stays unnoticed. Printed; over a minute fails."""
    restore(control_plane, files)
    seconds = {}
    with Watchdog(control_plane, files, tmp_path / "watchdog") as watchdog:
        watchdog.wait_for(lambda w: w.states() == dict.fromkeys(WATCHED, 0))
        for name, (what, change, _) in DRILL.items():
            seen = len(watchdog.lines)
            change(control_plane)
            began = time.monotonic()
            watchdog.wait_for(lambda w, seen=seen, what=what: _told(w, seen, what))
            seconds[name] = time.monotonic() - began
            restore(control_plane, files)
    with capsys.disabled():
        print()
        for name, each in seconds.items():
            print(f"R28 | {name} | noticed after {each:.1f} s")
        print(f"R28 | worst of {len(seconds)} | {max(seconds.values()):.1f} s")


def _told(watchdog: Watchdog, seen: int, what: str) -> bool:
    return any(
        line["event"] == "watch.drift" and line["object"] == what for line in watchdog.lines[seen:]
    )


def test_what_cannot_be_read_is_never_said_to_be_well(
    control_plane: ControlPlane, watchdog: Watchdog
) -> None:
    """Its rights gone, its token bad, its CA gone: -1, and again 0 once that is over."""
    binding = ("clusterrolebinding", "stagepass-watchdog")
    unknown, well = dict.fromkeys(WATCHED, -1), dict.fromkeys(WATCHED, 0)

    control_plane.kubectl("delete", *binding)
    watchdog.wait_for(lambda w: w.states() == unknown)
    checked = watchdog.states(CHECKED)
    assert "HTTP 403" in watchdog.lines[-1]["error"]
    control_plane.kubectl("apply", "-f", str(GUARD / "watchdog-access.yaml"))
    watchdog.wait_for(lambda w: w.states() == well)
    assert min(watchdog.states(CHECKED).values()) > max(checked.values())

    (watchdog.account / "token").write_text("nobody\nat: all")
    watchdog.wait_for(lambda w: w.states() == unknown)
    assert "nobody" not in watchdog.lines[-1]["error"]
    (watchdog.account / "token").write_text("nobody")
    watchdog.wait_for(lambda w: "HTTP 401" in str(w.lines[-1].get("error")))
    watchdog.renew_token()
    watchdog.wait_for(lambda w: w.states() == well)

    ca = (watchdog.account / "ca.crt").read_bytes()
    (watchdog.account / "ca.crt").unlink()
    watchdog.wait_for(lambda w: w.states() == unknown)
    (watchdog.account / "ca.crt").write_bytes(ca)
    watchdog.wait_for(lambda w: w.states() == well)


def test_a_drift_that_can_no_longer_be_seen_is_unknown(
    control_plane: ControlPlane, watchdog: Watchdog
) -> None:
    """Neither 1 as before, nor 0."""
    control_plane.kubectl(*edit(EDITS["failurePolicy Ignore"]))
    watchdog.wait_for(lambda w: w.states()[GATE] == 1)

    (watchdog.account / "token").write_text("nobody")
    watchdog.wait_for(lambda w: w.states()[GATE] == -1)


def test_its_service_account_reads_these_objects_and_nothing_else(
    control_plane: ControlPlane, files: Path
) -> None:
    user = f"system:serviceaccount:{NAMESPACE}:stagepass-watchdog"
    listing = ("auth", "can-i", "--list", "--no-headers", "-n", NAMESPACE)
    shown = control_plane.kubectl(*listing, as_user=user).stdout
    own = [line for line in shown.splitlines() if "stagepass" in line]

    assert files.is_dir()
    # And the two of deploy/manifests, where those are installed.
    assert [line.split()[-1] for line in own] == ["[get]"] * (len(WATCHED) + 2)
    asked = ("get", "validatingwebhookconfigurations")
    wait_for(
        lambda: (
            control_plane.kubectl(*asked, "stagepass", as_user=user, check=False).returncode == 0
        ),
        "RBAC",
    )
    for more in ((*asked,), (*asked, "another"), ("get", "secrets", "-n", NAMESPACE)):
        done = control_plane.kubectl(*more, as_user=user, check=False)
        assert "cannot" in done.stderr
