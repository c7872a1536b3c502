"""deploy/applier on a real API server: it installs, its Pod is admitted, its rights are enough and few."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import (
    APPLIER,
    ROOT,
    Delivery,
    Team,
    config_map,
    one_cluster,
)
from tests.webhook.server import wait_until

pytestmark = pytest.mark.cluster

BASE = ROOT / "deploy" / "applier"
SECRET = config_map("password").replace("ConfigMap", "Secret")
ACCOUNT = f"system:serviceaccount:{APPLIER}:stagepass-applier"


class Installed(Delivery):
    """The applier with the rights that are shipped: it proves itself with its account's token."""

    def __enter__(self) -> Self:
        cluster = self.cluster
        for namespace in ("shop", "other"):
            cluster.kubectl("create", "namespace", namespace)
        cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "base" / "namespace.yaml"))
        cluster.kubectl("apply", "-k", str(BASE))
        wait_until(self._is_served)
        cluster.kubectl("-n", "shop", "create", "serviceaccount", "deployer")
        cluster.kubectl(
            *("-n", "shop", "create", "rolebinding", "deployer", "--clusterrole=admin"),
            "--serviceaccount=shop:deployer",
        )
        cluster.kubectl("apply", "-f", "-", stdin=rbac(self.team.policy, self.stage))
        token = cluster.kubectl("-n", APPLIER, "create", "token", "stagepass-applier").stdout
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(_kubeconfig(cluster, token.strip())))
        (self.directory / "state").mkdir()
        self.start()
        return self

    def _is_served(self) -> bool:
        """A new kind is answered with 429 for a moment."""
        kinds = "applications.stagepass.dev,deadletters.stagepass.dev"
        return self.cluster.kubectl("get", kinds, "-A", check=False).returncode == 0


def rbac(policy: Path, cluster: str, *more: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "applier", "rbac", "--policy", str(policy), *more]
    done = subprocess.run(
        [*command, "--cluster", cluster], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _kubeconfig(cluster: ControlPlane, token: str) -> dict[str, Any]:
    there = {"server": cluster.server, "certificate-authority": str(cluster.ca_file)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": there}],
        "users": [{"name": "applier", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "applier"}}],
        "current-context": "test",
    }


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    directory = tmp_path_factory.mktemp("installed")
    with one_cluster(directory) as (server, cluster, _):
        team = Team(directory / "team", server)
        with Installed(team, "test", cluster, directory / "applier") as running:
            yield running


def test_a_commit_is_applied_passed_changed_and_pruned_by_the_shipped_rights(
    delivery: Delivery,
) -> None:
    """Also a Secret: it is read and written as the source's account, never as the applier."""
    team = delivery.team
    image = team.attest(team.image())
    extra = config_map("settings", colour="blue") + config_map("old") + SECRET
    delivery.wait_passed(team.deploy(image, more=extra))

    assert delivery.live("deployment", "web")["status"]["readyReplicas"] == 1
    assert delivery.live("secret", "password")["kind"] == "Secret"

    delivery.wait_applied(team.deploy(image, more=config_map("settings", colour="red") + SECRET))

    assert delivery.live("configmap", "settings")["data"] == {"colour": "red"}
    delivery.wait(lambda: delivery.live("configmap", "old") == {})


def test_an_account_that_rbac_does_not_name_is_not_acted_as(delivery: Delivery) -> None:
    """Whoever writes policy grants nothing: the API server refuses until somebody with the right does."""
    team = delivery.team
    delivery.cluster.kubectl("-n", "shop", "create", "serviceaccount", "boss")
    team.write_policy(lambda stages: stages[0]["source"]["serviceAccount"].update(name="boss"))

    more = config_map("settings", colour="red") + SECRET
    team.deploy(team.attest(team.image()), more=more)
    delivery.wait_reason("FORBIDDEN")

    assert 'cannot impersonate resource "serviceaccounts"' in delivery.last()["message"]
    team.write_policy()
    delivery.wait_passed(team.deploy(team.attest(team.image()), more=more))


def test_the_pod_passes_the_restricted_standard(delivery: Delivery) -> None:
    """A Deployment is only warned about; the Pod it makes is enforced."""
    text = (BASE / "deployment.yaml").read_text()
    spec = yaml.safe_load(text)["spec"]["template"]["spec"]
    weak = json.loads(json.dumps(spec))
    del weak["securityContext"]["seccompProfile"]
    create = ("create", "--dry-run=server", "-n", APPLIER, "-f", "-")

    for pod, refused in ((spec, ""), (weak, 'violates PodSecurity "restricted:latest"')):
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": pod}
        done = delivery.cluster.kubectl(*create, stdin=json.dumps(manifest), check=False)
        assert refused in done.stderr
        assert (done.stderr == "") == (refused == "")


ALLOWED = [
    "get namespaces/kube-system",
    "list pods -A",
    "watch deployments.apps -A",
    "list roles.rbac.authorization.k8s.io -A",
    "list configmaps -A",
    "create configmaps -n stagepass-applier",
    "delete deadletters.stagepass.dev -n stagepass-applier",
    "patch applications.stagepass.dev --subresource=status -n stagepass-applier",
    "update leases.coordination.k8s.io -n stagepass-applier",
    "create events -n stagepass-applier",
    "patch configmaps/stagepass-policy -n stagepass-system",
    "impersonate serviceaccounts/deployer -n shop",
]
DENIED = [
    # Secrets, anywhere, its own namespace included
    "get secrets -A",
    "list secrets -n stagepass-applier",
    "get secrets/stagepass-applier-key -n stagepass-applier",
    "get secrets -n stagepass-system",
    # writing anywhere but at home
    "create pods -n shop",
    "patch deployments.apps -n shop",
    "delete configmaps -n shop",
    "create configmaps -n other",
    "create namespaces",
    "update nodes",
    "create pods -n stagepass-applier",
    "patch deployments.apps -n stagepass-applier",
    "create leases.coordination.k8s.io -n kube-system",
    # the gate
    "patch configmaps -n stagepass-system",
    "patch configmaps/stagepass-settings -n stagepass-system",
    "delete configmaps/stagepass-policy -n stagepass-system",
    "patch deployments.apps/stagepass-webhook -n stagepass-system",
    "create pods -n stagepass-system",
    "get validatingwebhookconfigurations.admissionregistration.k8s.io",
    "patch validatingwebhookconfigurations.admissionregistration.k8s.io/stagepass",
    "create mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "delete validatingadmissionpolicybindings.admissionregistration.k8s.io",
    # being somebody else
    "impersonate serviceaccounts/default -n shop",
    "impersonate serviceaccounts -n shop",
    "impersonate serviceaccounts/deployer -n other",
    "impersonate serviceaccounts/stagepass-webhook -n stagepass-system",
    "impersonate serviceaccounts/stagepass-certificates -n stagepass-system",
    "impersonate serviceaccounts/generic-garbage-collector -n kube-system",
    "impersonate users",
    "impersonate groups/system:masters",
    "impersonate groups/stagepass:break-glass",
    "create serviceaccounts/deployer --subresource=token -n shop",
    # more rights
    "escalate roles.rbac.authorization.k8s.io -n stagepass-applier",
    "escalate clusterroles.rbac.authorization.k8s.io",
    "bind clusterroles.rbac.authorization.k8s.io/cluster-admin",
    "create rolebindings.rbac.authorization.k8s.io -n stagepass-applier",
    "create clusterrolebindings.rbac.authorization.k8s.io",
    "approve signers.certificates.k8s.io",
    # into a container
    "create pods --subresource=exec -n shop",
    "get nodes --subresource=proxy",
    "get pods --subresource=log -n shop",
]


@pytest.mark.parametrize("question", [*ALLOWED, *DENIED])
def test_what_it_may_do_and_what_not(delivery: Delivery, question: str) -> None:
    ask = ("auth", "can-i", *question.split(), "--as", ACCOUNT)
    answer = delivery.cluster.kubectl(*ask, check=False).stdout.strip()

    assert answer == ("yes" if question in ALLOWED else "no")


def test_it_may_write_the_policy_of_the_gate_that_is_not_there_yet(delivery: Delivery) -> None:
    """By server-side apply, which needs `create` on that name; a plain create has no name to allow."""
    cluster = delivery.cluster
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "stagepass-policy", "namespace": "stagepass-system"},
        "data": {"a": "b"},
    }
    other = {**manifest, "metadata": {"name": "mine", "namespace": "stagepass-system"}}
    as_it = ("--kubeconfig", str(delivery.kubeconfig), "apply", "--server-side", "-f", "-")

    refused = cluster.kubectl(*as_it, stdin=json.dumps(other), check=False)
    cluster.kubectl(*as_it, stdin=json.dumps(manifest))

    assert 'cannot patch resource "configmaps"' in refused.stderr


def test_it_may_bring_the_evidence_of_its_applications_and_no_other(delivery: Delivery) -> None:
    cluster, rights = delivery.cluster, ("--mirror", "stagepass-system")
    cluster.kubectl("apply", "-f", "-", stdin=rbac(delivery.team.policy, "test", *rights))
    as_it = ("--kubeconfig", str(delivery.kubeconfig), "apply", "--server-side", "-f", "-")

    answers = []
    for name in ("stagepass-evidence-shop.test", "stagepass-evidence-shop.staging"):
        text = config_map(name).replace("namespace: shop", "namespace: stagepass-system")
        answers.append(cluster.kubectl(*as_it, stdin=text, check=False).stderr)

    assert answers[0] == ""
    assert 'cannot patch resource "configmaps"' in answers[1]


def _overlay(delivery: Delivery, tmp_path: Path, base: str, component: str) -> dict[str, Any]:
    """The container of the Deployment, once a server has accepted it, by a directory beside `base`."""
    overlay = tmp_path / "deploy" / "mine"
    overlay.mkdir(parents=True)
    for name in (base, "crds", component.partition("/")[0]):
        shutil.copytree(ROOT / "deploy" / name, overlay.parent / name)
    (overlay / "kustomization.yaml").write_text(
        f"resources: [../{base}]\ncomponents: [../{component}]\n"
    )
    text = delivery.cluster.kubectl("kustomize", str(overlay)).stdout
    done = delivery.cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=text)
    (deployment,) = (d for d in yaml.safe_load_all(text) if d["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert done.stderr == ""
    return dict(container)


def _environment(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container["env"]}


def test_the_gates_overlay_is_accepted_and_has_the_root_key(
    delivery: Delivery, tmp_path: Path
) -> None:
    """As the manual says, in a directory beside `base`."""
    container = _overlay(delivery, tmp_path, "base", "applier-policy")

    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert _environment(container)["STAGEPASS_POLICY_ROOT_KEY"] == "/etc/stagepass/root/root.pub"
    assert mounts["/etc/stagepass/root"] == "root-key"
    assert "/etc/stagepass/policy/keys" not in mounts


def test_the_mirrors_overlays_are_accepted(delivery: Delivery, tmp_path: Path) -> None:
    gate = _overlay(delivery, tmp_path / "gate", "base", "applier-mirror/gate")
    applier = _overlay(delivery, tmp_path / "applier", "applier", "applier-mirror")

    mounts = {each["mountPath"] for each in gate["volumeMounts"]}
    source = _environment(gate)["STAGEPASS_EVIDENCE"]
    assert source == "mirror:/etc/stagepass/evidence,registry"
    assert "/etc/stagepass/evidence" in mounts
    assert _environment(applier)["STAGEPASS_MIRROR"] == "yes"
