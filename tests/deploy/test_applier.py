"""deploy/applier as files; what its rights come to, tests/cluster tries."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from applier.delivery import CONFIG_MAP
from applier.mirror_name import PREFIX
from stagepass.packed_evidence import SUFFIX
from tests.deploy.base import DEPLOY, ROOT, documents

BASE = DEPLOY / "applier"
EVERYTHING = [document for path in sorted(BASE.glob("*.yaml")) for document in documents(path)]
RULES = [(d, rule) for d in EVERYTHING for rule in d.get("rules") or ()]


def named(kind: str, name: str = "stagepass-applier") -> dict[str, Any]:
    (found,) = (d for d in EVERYTHING if d["kind"] == kind and d["metadata"]["name"] == name)
    return found


@pytest.fixture
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = named("Deployment")["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found


def test_the_kustomization_names_every_file_beside_it_and_the_image(
    container: dict[str, Any],
) -> None:
    (kustomization,) = documents(BASE / "kustomization.yaml")
    (image,) = kustomization["images"]
    inside = [name for name in kustomization["resources"] if not name.startswith("../")]

    assert sorted([*inside, "kustomization.yaml"]) == sorted(p.name for p in BASE.glob("*.yaml"))
    assert set(kustomization["resources"]) - set(inside) == {"../crds"}
    assert container["image"] == f"{image['name']}@{image['digest']}"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image["digest"])


def test_one_applier_at_a_time_in_a_restricted_pod(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    spec, labels = named("Deployment")["spec"], named("Namespace")["metadata"]["labels"]
    security = container["securityContext"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod["serviceAccountName"] == named("ServiceAccount")["metadata"]["name"]


def test_no_rule_reaches_secrets_everything_or_more_rights() -> None:
    reading = {"get", "list", "watch"}
    for document, rule in RULES:
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not words & {"*", "secrets", "impersonate", "escalate", "bind", "deletecollection"}
        assert "admissionregistration.k8s.io" not in words
        assert not any("/" in r and not r.endswith("/status") for r in rule["resources"])
        if document["kind"] == "ClusterRole":
            assert set(rule["verbs"]) == reading
    assert len(RULES) > 10


def test_in_the_gates_namespace_it_writes_one_object() -> None:
    elsewhere = [
        (d["metadata"]["namespace"], rule) for d, rule in RULES if d["kind"] == "Role"
        and d["metadata"]["namespace"] != "stagepass-applier"
    ]  # fmt: skip

    ((namespace, rule),) = elsewhere
    assert namespace == "stagepass-system"
    assert (rule["resources"], rule["resourceNames"]) == (["configmaps"], [CONFIG_MAP])
    assert rule["verbs"] == ["get", "create", "patch"]


def test_every_binding_is_the_appliers_and_of_a_role_that_is_here() -> None:
    account = {
        "kind": "ServiceAccount",
        "name": "stagepass-applier",
        "namespace": "stagepass-applier",
    }
    bindings = [d for d in EVERYTHING if d["kind"].endswith("RoleBinding")]

    assert len(bindings) == 3
    for binding in bindings:
        assert binding["subjects"] == [account]
        assert named(binding["roleRef"]["kind"], binding["roleRef"]["name"])


def test_the_settings_point_at_what_is_mounted(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}

    assert mounts.keys() == volumes.keys()
    assert env["STAGEPASS_STATE_DIR"] == mounts["state"]["mountPath"]
    assert env["STAGEPASS_KEY"] == f"{mounts['key']['mountPath']}/cluster.key"
    assert env["STAGEPASS_POLICY_ROOT_KEY"] == f"{mounts['root-key']['mountPath']}/root.pub"
    assert env["STAGEPASS_GIT_CREDENTIALS"] == mounts["git"]["mountPath"]
    assert env["DOCKER_CONFIG"] == mounts["docker"]["mountPath"]
    assert {n for n, m in mounts.items() if not m.get("readOnly")} == {"tmp", "state"}
    for probe in ("startupProbe", "livenessProbe"):
        assert f"{env['STAGEPASS_STATE_DIR']}/alive" in str(container[probe]["exec"]["command"])
    assert '/ "alive").touch' in (ROOT / "applier" / "commands_run.py").read_text()
    for key in ("key", "docker"):
        assert volumes[key]["secret"]["defaultMode"] == 0o440


def dockerfile() -> list[list[str]]:
    text = (DEPLOY / "applier.Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_installs_only_what_is_locked_and_runs_as_a_number() -> None:
    lines = dockerfile()
    installs = [" ".join(line) for line in lines if "bin/pip install" in " ".join(line)]

    assert "--require-hashes" in installs[0]
    assert "--no-index" in installs[1]
    assert len(installs) == 2
    assert (ROOT / "requirements" / "applier.txt").read_text().count("--hash=sha256:") > 100
    assert ["USER", "65532:65532"] in lines
    assert lines[-2:] == [["ENTRYPOINT", '["python",', '"-m",', '"applier"]'], ["CMD", '["run"]']]


def test_the_builder_sees_only_what_is_copied() -> None:
    """A key that lies in the clone must not end in a layer."""
    ignored = (DEPLOY / "applier.Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = [
        name.rstrip("/")
        for line in dockerfile()
        if line[0] == "COPY" and not line[1].startswith("--")
        for name in line[1:-1]
    ]

    assert ignored[1] == "*"
    assert sorted(allowed) == sorted(copied)


def test_the_gate_takes_the_one_key_that_the_applier_writes_of_each_config_map() -> None:
    """All its keys would be files, and each unpacked."""
    (component,) = documents(DEPLOY / "applier-mirror" / "gate" / "kustomization.yaml")
    (patch,) = (yaml.safe_load(each["patch"]) for each in component["patches"])
    (volume,) = patch["spec"]["template"]["spec"]["volumes"]

    for source in volume["projected"]["sources"]:
        key = source["configMap"]["name"].removeprefix(PREFIX) + SUFFIX
        assert source["configMap"]["items"] == [{"key": key, "path": key}]
