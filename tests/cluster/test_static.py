"""deploy/static: what kube-apiserver reads from disk stays, whoever asks it to go."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import Gate
from tests.cluster.guard import BREAK_GLASS, CONFIGURATION, POLICIES, ROOT, wait_for
from tests.cluster.shop import Shop

pytestmark = pytest.mark.cluster

STATIC = ROOT / "deploy" / "static"
NAME = "static.gate.stagepass.dev"
DENIED = f'admission webhook "{NAME}" denied the request'
INSTALLED = "/etc/kubernetes/stagepass"


@dataclass(frozen=True, slots=True)
class Site:
    """A gate, and the directory from which its API server reads static manifests."""

    gate: Gate
    manifests: Path


def put(text: str, path: Path) -> None:
    """By rename, as deploy/README.md says: a file seen half-written opens the gate."""
    path.with_suffix(".tmp").write_text(text)
    path.with_suffix(".tmp").rename(path)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An API server started with the shipped files; the configuration of the API is there too."""
    node = tmp_path_factory.mktemp("node")
    for name in ("webhooks", "policies"):
        (node / name).mkdir()
    admission = (STATIC / "admission.yaml").read_text().replace(INSTALLED, str(node))
    (node / "admission.yaml").write_text(admission)
    put((STATIC / "policies/stagepass.yaml").read_text(), node / "policies" / "stagepass.yaml")
    flags = [f"--admission-control-config-file={node / 'admission.yaml'}"]
    with (
        ControlPlane(tmp_path_factory.mktemp("plane"), apiserver_flags=flags) as plane,
        Gate(plane, Shop(tmp_path_factory.mktemp("shop")), tmp_path_factory.mktemp("gate")) as gate,
    ):
        put(_manifest(gate), node / "webhooks" / "stagepass.yaml")
        wait_for(lambda: DENIED in _delete_and_ask(gate), "the static webhook is in force")
        yield Site(gate, node)
        _restore(gate)


def _manifest(gate: Gate) -> str:
    """The shipped one, with the address and the CA of this gate."""
    live = yaml.safe_load((gate.directory / "configuration.yaml").read_text())
    manifest = yaml.safe_load((STATIC / "webhooks/stagepass.yaml").read_text())
    (webhook,) = manifest["webhooks"]
    webhook["clientConfig"] = live["webhooks"][0]["clientConfig"]
    return yaml.safe_dump(manifest)


def _delete_and_ask(gate: Gate) -> str:
    """What an unattested Pod hears once nothing of ours is left in the API."""
    # As break-glass: a guard that was just taken away stays in force for a tick.
    gate.control_plane.kubectl("delete", *CONFIGURATION, "--ignore-not-found", *BREAK_GLASS)
    command = ("run", "evil", "--image", gate.shop.image(), "--dry-run=server")
    return gate.kubectl(*command, check=False).stderr


def _restore(gate: Gate) -> None:
    gate.control_plane.kubectl("apply", "-f", str(gate.directory / "configuration.yaml"))


def test_an_unattested_pod_is_refused_with_the_api_object_deleted_by_system_masters(
    site: Site,
) -> None:
    gate = site.gate
    gate.control_plane.kubectl("delete", *CONFIGURATION, "--ignore-not-found")

    done = gate.kubectl("run", "evil", "--image", gate.shop.image(), check=False)
    assert done.returncode == 1
    assert DENIED in done.stderr
    assert "PASS_MISSING" in done.stderr
    gate.kubectl("run", "good", "--image", gate.shop.attest(gate.shop.image()))


def test_a_controllers_pod_is_refused_as_well(site: Site) -> None:
    """Its Deployment gets in: the narrow rules ask about Pods alone."""
    gate = site.gate
    gate.control_plane.kubectl("delete", *CONFIGURATION, "--ignore-not-found")
    gate.kubectl("create", "deployment", "evil", "--image", gate.shop.image())

    shown = ("get", "replicasets", "-l", "app=evil", "-o", "jsonpath={.items[0].status.conditions}")
    wait_for(
        lambda: DENIED in gate.kubectl(*shown, check=False).stdout.replace("\\", ""), "refused"
    )
    assert gate.kubectl("get", "pods", "-l", "app=evil", "-o", "name").stdout == ""


def test_the_api_neither_shows_nor_deletes_nor_replaces_it(site: Site) -> None:
    kubectl = site.gate.control_plane.kubectl
    listed = kubectl("get", "validatingwebhookconfigurations", "-o", "name").stdout
    gone = kubectl(
        "delete", "validatingwebhookconfiguration", "stagepass.static.k8s.io", check=False
    )
    again = kubectl("create", "-f", "-", stdin=_manifest(site.gate), check=False)

    assert "static.k8s.io" not in listed
    assert "NotFound" in gone.stderr
    assert "reserved" in again.stderr


def test_both_at_once_admit_what_is_attested_and_deny_the_rest(site: Site) -> None:
    gate = site.gate
    _restore(gate)

    gate.kubectl("run", "both", "--image", gate.shop.attest(gate.shop.image()))
    evil = gate.kubectl("run", "evil", "--image", gate.shop.image(), check=False)
    assert "denied the request" in evil.stderr


def test_the_gates_own_namespace_is_left_out(site: Site) -> None:
    """Else a gate that is down could never come back."""
    kubectl = site.gate.control_plane.kubectl
    kubectl("create", "namespace", "stagepass-system")

    command = ("run", "web", "--image", site.gate.shop.image(), "--dry-run=server")
    again = ("-n", "stagepass-system")
    wait_for(lambda: kubectl(*command, *again, check=False).returncode == 0, "admitted")


def test_no_request_takes_the_guard_of_the_api_away(site: Site) -> None:
    """B43: what policies of the API cannot see, those from disk refuse, also to system:masters."""
    kubectl = site.gate.control_plane.kubectl
    kubectl("apply", "-f", str(POLICIES))
    kubectl("apply", "-f", str(POLICIES))
    kinds = ("validatingadmissionpolicy", "validatingadmissionpolicybinding")
    warn = '{"spec": {"validationActions": ["Warn"]}}'
    ignore = '{"spec": {"failurePolicy": "Ignore"}}'
    tries = [
        *(("delete", kind, "stagepass-configuration") for kind in kinds),
        ("patch", kinds[0], "stagepass-configuration", "-p", ignore),
        ("patch", kinds[1], "stagepass-configuration", "-p", warn),
        *(
            ("delete", "--raw", f"/apis/admissionregistration.k8s.io/v1/{plural}")
            for plural in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
        ),
    ]
    for command in tries:
        done = kubectl(*command, check=False)
        assert "'stagepass-guard.static.k8s.io'" in done.stderr, command

    kubectl("delete", "-f", str(POLICIES), *BREAK_GLASS)
    dry = ("delete", *CONFIGURATION, "--ignore-not-found", "--dry-run=server")
    wait_for(lambda: kubectl(*dry, check=False).returncode == 0, "the guard is out of force")


def test_a_broken_replacement_leaves_the_last_good_one_in_force(site: Site) -> None:
    """The file is refused whole; so is one whose bundle is none, by the API server's own check."""
    path = site.manifests / "webhooks" / "stagepass.yaml"
    good = path.read_text()
    gate = site.gate
    metric = "apiserver_manifest_admission_config_controller_automatic_reloads_total"

    def failures() -> list[str]:
        text = gate.control_plane.kubectl("get", "--raw", "/metrics").stdout
        return [x for x in text.splitlines() if x.startswith(metric) and 'status="failure"' in x]

    before = failures()
    put(good.replace("static.k8s.io", "example.com"), path)
    wait_for(lambda: failures() != before, "the reload failed")
    assert DENIED in _delete_and_ask(gate)
    put(good, path)
    assert DENIED in _delete_and_ask(gate)
    assert base64.b64decode(yaml.safe_load(good)["webhooks"][0]["clientConfig"]["caBundle"])
