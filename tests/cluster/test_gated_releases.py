"""
A gate and an applier in one cluster that requires releases: what people do by hand beside them.

What the gate refuses is there as data, and what it must let in, since each object alone is as some
release says, the applier takes back before a pass is signed.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagepass.cli.main import run
from tests.cluster.applier_site import application
from tests.cluster.delivery import ROOT, Delivery, Team, config_map, deployment, one_cluster
from tests.cluster.gate import Gate
from tests.cluster.manifest_site import ask_about_manifests
from tests.cluster.released import commit, release, require, said

pytestmark = pytest.mark.cluster

_SOAK = 6


class Site:
    """Stage `test` of one team; `staging`, in no cluster here, wants it to soak."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        server, self.cluster, _ = stack.enter_context(one_cluster(directory))
        self.cluster.kubectl("apply", "-k", str(ROOT / "deploy" / "crds"))
        self.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
        self.team = Team(directory / "team", server, ("test", "staging"))
        self.team.write_policy(_policy)
        (directory / "gate" / "state").mkdir(parents=True)
        self.gate = Gate(self.cluster, self.team, directory / "gate", cluster="test")
        self.gate_metrics, self.applier_metrics = _address(), _address()
        self.gate.more = {
            "METRICS_BIND": self.gate_metrics,
            "DENIALS": "yes",
            "STATE_DIR": str(directory / "gate" / "state"),
        }
        stack.enter_context(self.gate)
        self.delivery = Delivery(self.team, "test", self.cluster, directory / "applier")
        self.delivery.more["METRICS_BIND"] = self.applier_metrics
        stack.enter_context(self.delivery)  # the RoleBinding of the deployer is in no release
        ask_about_manifests(self.cluster)
        self.gate.wait_for(self._is_asked_about_manifests)
        self.gate.namespace = "shop"
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(application()))

    def _is_asked_about_manifests(self) -> bool:
        self.gate.kubectl("create", "configmap", "probe", "--dry-run=server")
        return any("/ConfigMap/" in each["object"] for each in self.gate.decisions())

    def released(self, text: str) -> str:
        """The commit of a release that CI has signed."""
        head = commit(self.team, text)
        release(self.team, text, head)
        return head

    def told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.delivery.events() if each["event"] == event]

    def events(self, reason: str) -> list[str]:
        """What Kubernetes events with that reason say of applications."""
        done = self.cluster.kubectl("-n", "stagepass-applier", "get", "events", "-o", "json")
        found = json.loads(done.stdout)["items"]
        return [each["message"] for each in found if each["reason"] == reason]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("gated"), stack)


def test_a_denied_edit_is_a_metric_and_a_record(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    head = site.released(_objects(site.team.attest(site.team.image()), "blue"))
    site.delivery.wait_passed(head)

    site.gate.refusal("set", "env", "deployment/web", "TOKEN=zzmark")
    site.gate.refusal("patch", "configmap", "settings", "-p", '{"data": {"colour": "zzmark"}}')

    text = _get(site.gate_metrics, "/denials")
    records = json.loads(text)["denials"]
    wanted = [
        ("core/ConfigMap/shop/settings", "data[colour]"),
        ("apps/Deployment/shop/web", "spec.template.spec.containers[0].env"),
    ]
    assert [(each["object"], each["fields"][0]["path"]) for each in records] == [
        (about.removeprefix("core"), path) for about, path in wanted
    ]
    assert {each["operation"] for each in records} == {"UPDATE"}
    user = json.loads(site.cluster.kubectl("auth", "whoami", "-o", "json").stdout)
    assert {each["user"] for each in records} == {user["status"]["userInfo"]["username"]}
    assert {(f["pipeline"], f["stage"]) for each in records for f in each["fields"]} == {
        ("shop", "test")
    }
    assert "zzmark" not in text
    metrics = _get(site.gate_metrics, "/metrics")
    for kind in ("ConfigMap", "apps/Deployment"):
        labels = f'kind="{kind}",pipeline="shop",stage="test"'
        assert f"stagepass_manifest_denials_total{{{labels}}} 1.0" in metrics
    journal = str(site.directory / "gate" / "state" / "journal")
    assert run(["journal", "show", journal, "--denied", "--code", "MANIFEST_DIFFERS"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len([line for line in shown if "/shop/" in line]) == 2
    assert site.delivery.last()["passed"] == head


def test_objects_of_two_releases_do_not_stay_side_by_side_nor_pass(site: Site) -> None:
    """Each is as an admitted release says, so the gate lets it in; the applier takes it back."""
    older = _objects(site.team.attest(site.team.image()), "red")
    site.delivery.wait_passed(site.released(older))
    image = site.team.attest(site.team.image())
    newer = site.released(_objects(image, "green"))
    site.delivery.wait(lambda: site.delivery.last().get("reason") == "SOAKING")
    site.delivery.wait(lambda: site.delivery.last().get("applied") == newer)
    soaking = datetime.fromisoformat(_row(site)["healthySince"])
    drifted, corrected = _drift(site)

    old = [each for each in yaml.safe_load_all(older) if each and each["kind"] != "Deployment"]
    site.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(old))
    mixed = site.gate.decisions()[-len(old) :]
    site.delivery.wait(lambda: _drift(site)[1] >= corrected + len(old))

    assert [each["answer"] for each in mixed][:1] == ["admitted"]
    assert site.delivery.live("configmap", "settings")["data"] == {"colour": "green"}
    assert site.delivery.live("service", "web")["spec"]["selector"] == {"tier": "green"}
    found = {
        name: paths
        for each in site.told("application.drifted")
        for name, paths in each["fields"].items()
    }
    assert found["core/ConfigMap/shop/settings"] == ["data[colour]"]
    assert found["core/Service/shop/web"] == ["spec.selector[tier]"]
    assert _drift(site)[0] >= drifted + len(old)
    site.delivery.wait(
        lambda: any("core/ConfigMap/shop/settings" in e for e in site.events("Drifted"))
    )
    mended = _parsed(site.told("application.corrected")[-1]["time"])

    site.delivery.wait_passed(newer)

    # Watched for anew, from after the mixture was gone: what ran before is not what passed.
    began, ended = _observed(site, image)
    assert soaking < mended
    assert began >= mended.replace(microsecond=0)
    assert (ended - began).total_seconds() >= _SOAK
    assert [kind for kind, _ in said(site.team, image)] == ["stage-entered", "stage-passed"]


def _policy(stages: list[dict[str, Any]]) -> None:
    require(stages)
    stages[1]["after"] = [{"stage": "test", "soak": f"{_SOAK}s"}]


def _objects(image: str, colour: str) -> str:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"tier": colour}, "ports": [{"name": "web", "port": 80}]},
    }
    settings = config_map("settings", colour=colour)
    return deployment(image) + settings + yaml.safe_dump(service) + "---\n"


def _address() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def _get(address: str, path: str) -> str:
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == http.HTTPStatus.OK
        return answer.read().decode()


def _drift(site: Site) -> tuple[float, float]:
    """Objects that were found changed, and objects that were written again."""
    lines = _get(site.applier_metrics, "/metrics").splitlines()
    names = ("stagepass_applier_drift_total", "stagepass_applier_drift_corrections_total")
    drifted, corrected = (
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{"))
        for name in names
    )
    return drifted, corrected


def _row(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        site.delivery.run("status", "--output", "json").stdout.splitlines()[0]
    )
    return found


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _observed(site: Site, image: str) -> tuple[datetime, datetime]:
    """From when to when the pass says it was watched."""
    folder = site.team.evidence / f"sha256-{image.partition('sha256:')[2]}"
    for path in folder.glob("*.sigstore.json"):
        envelope = json.loads(path.read_text())["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        if "stage-passed" in statement["predicateType"]:
            observed = statement["predicate"]["observed"]
            return _parsed(observed["from"]), _parsed(observed["to"])
    raise AssertionError("no pass")
