from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml

from certs.names import Names
from stagepass.diskcache import Limits
from tests.deploy.base import BASE, DEPLOY, ROOT, documents, one


def test_the_kustomization_names_every_file_beside_it() -> None:
    named = one("Kustomization")["resources"]

    assert sorted([*named, "kustomization.yaml"]) == sorted(p.name for p in BASE.iterdir())


def test_the_webhook_configuration_comes_last() -> None:
    """For tools that keep the order of the file; that kubectl does it too, tests/cluster proves."""
    assert one("Kustomization")["resources"][-1] == "validatingwebhookconfiguration.yaml"


def test_the_label_that_leaves_the_webhook_for_later_is_on_it_alone() -> None:
    key, _, value = "stagepass.dev/apply!=last".partition("!=")
    marked = [
        document["kind"]
        for path in BASE.glob("*.yaml")
        for document in documents(path)
        if document.get("metadata", {}).get("labels", {}).get(key) == value
    ]

    assert marked == ["ValidatingWebhookConfiguration"]
    assert f"'{key}!={value}'" in (DEPLOY / "README.md").read_text()


def test_the_webhook_calls_the_service_and_the_service_finds_the_pods(
    webhook: dict[str, Any], container: dict[str, Any]
) -> None:
    service, deployment = one("Service"), one("Deployment")
    target = webhook["clientConfig"]["service"]
    (port,) = service["spec"]["ports"]
    named = {p["name"]: p["containerPort"] for p in container["ports"]}

    assert target == {
        "name": service["metadata"]["name"],
        "namespace": service["metadata"]["namespace"],
        "path": "/validate",
        "port": port["port"],
    }
    assert (port["port"], named[port["targetPort"]]) == (443, 8443)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (
        service["spec"]["selector"],
        deployment["spec"]["selector"]["matchLabels"],
        one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(
            spread["labelSelector"]["matchLabels"]
            for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        ),
    ):
        assert selector.items() <= labels.items()


def test_the_readme_issues_a_certificate_for_the_name_the_api_server_calls() -> None:
    service = one("Service")["metadata"]
    for readme in (DEPLOY / "README.md", ROOT / "certs" / "README.md"):
        lines = [
            line for line in readme.read_text().splitlines() if "certs issue certs/dev" in line
        ]
        words = shlex.split(lines[0])
        options = dict(zip(words[5::2], words[6::2], strict=False))
        names = Names.of_service(options["--service"], options["--namespace"])

        assert f"{service['name']}.{service['namespace']}.svc" in names.dns


def test_the_service_account_has_no_rights_and_no_token(pod: dict[str, Any]) -> None:
    account = one("ServiceAccount")

    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert not any("projected" in volume for volume in pod["volumes"])


def test_no_binding_in_the_tree_reaches_the_gate() -> None:
    """
    By name or through a group; a template that is not YAML yet is read as text.

    Others in its namespace are the guard's, each with what tests/deploy/test_guard.py says.
    """
    others = {f"stagepass-{name}" for name in ("watchdog", "certificates", "policy")}
    namespace = one("Namespace")["metadata"]["name"]
    for path in [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")]:
        text = path.read_text()
        if "{{" in text:
            assert not ("Binding" in text and "stagepass-webhook" in text), path
            continue
        for document in yaml.safe_load_all(text):
            if not (document and str(document.get("kind")).endswith("RoleBinding")):
                continue
            for subject in document.get("subjects") or ():
                assert subject.get("namespace") != namespace or subject["name"] in others, path
                assert subject["name"] not in (
                    "system:authenticated",
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{namespace}",
                ), path


def test_the_pod_passes_the_restricted_standard(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    labels = one("Namespace")["metadata"]["labels"]
    security = container["securityContext"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        assert field not in pod


def test_the_settings_point_at_what_is_mounted(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}

    assert mounts.keys() == volumes.keys()
    assert env["STAGEPASS_TLS_DIR"] == mounts["tls"]["mountPath"] == "/etc/stagepass/tls"
    assert env["STAGEPASS_POLICY"] == mounts["policy"]["mountPath"] == "/etc/stagepass/policy"
    assert mounts["policy-keys"]["mountPath"] == "/etc/stagepass/policy/keys"
    assert mounts["tmp"]["mountPath"] == "/tmp"  # noqa: S108
    assert env["STAGEPASS_BIND"] == "0.0.0.0:8443"
    assert env["STAGEPASS_CLUSTER"] is None, "from the ConfigMap that the install step makes"
    assert volumes["tls"]["secret"]["secretName"] == "stagepass-webhook-tls"
    assert volumes["policy"]["configMap"]["name"] == "stagepass-policy"
    assert volumes["tmp"]["emptyDir"]["medium"] == "Memory"
    for name in ("tls", "policy", "policy-keys"):
        assert mounts[name]["readOnly"] is True
        assert "subPath" not in mounts[name], "a subPath mount never sees an update"


def test_the_workers_share_evidence_on_disk(pod: dict[str, Any], container: dict[str, Any]) -> None:
    """In memory it would count against the container's limit; a full emptyDir evicts the Pod."""
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    (cache,) = (volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "cache")
    limits = Limits()
    # A bundle's last block and, at worst, a folder of its own.
    blocks = limits.entries * 2 * 4096

    assert env["STAGEPASS_CACHE_DIR"] == mounts["cache"]["mountPath"]
    assert not mounts["cache"].get("readOnly")
    assert "medium" not in cache
    assert cache["sizeLimit"] == "1Gi"
    assert limits.size + blocks <= 1 << 30
    assert int(env["STAGEPASS_WORKERS"]) <= 2, "each one more may add a sixteenth"


def test_the_key_is_for_the_gates_user_alone(pod: dict[str, Any]) -> None:
    (tls,) = (volume["secret"] for volume in pod["volumes"] if volume["name"] == "tls")

    assert tls["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_the_deadlines_fit_into_each_other(
    webhook: dict[str, Any], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    grace = pod["terminationGracePeriodSeconds"]
    stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert float(env["STAGEPASS_DEADLINE"]) < webhook["timeoutSeconds"]
    assert stop + webhook["timeoutSeconds"] < grace == 30


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")],
)
def test_probes_ask_over_tls(container: dict[str, Any], probe: str, path: str) -> None:
    assert container[probe]["httpGet"] == {"scheme": "HTTPS", "path": path, "port": 8443}


def test_one_replica_is_always_there() -> None:
    spec, budget = one("Deployment")["spec"], one("PodDisruptionBudget")["spec"]

    assert spec["replicas"] == 2 > budget["minAvailable"] == 1
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_only_the_serving_port_is_open() -> None:
    spec = one("NetworkPolicy")["spec"]

    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8443}]}]
