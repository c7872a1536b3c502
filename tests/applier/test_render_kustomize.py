from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.render import Limits, Sandbox, render
from tests.applier import hostile
from tests.applier.hostile import CANARY
from tests.applier.world import listener
from tests.cluster.tools import binaries

pytestmark = pytest.mark.cluster

BASE = {
    "base/kustomization.yaml": b"resources: [deployment.yaml, service.yaml]\n",
    "base/deployment.yaml": b"""apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
      - {name: shop, image: shop}
""",
    "base/service.yaml": b"apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"
    b"spec: {ports: [{port: 80}]}\n",
}
_DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox.probe(kubectl=binaries()["kubectl"])


def test_the_sandbox_is_whole(sandbox: Sandbox) -> None:
    assert sandbox.isolated


def test_an_overlay_is_rendered(sandbox: Sandbox) -> None:
    files = {
        **BASE,
        "prod/kustomization.yaml": f"""
resources: [../base]
namespace: shop
images: [{{name: shop, newName: registry.example/shop, digest: "{_DIGEST}"}}]
patches: [{{path: replicas.yaml}}]
configMapGenerator: [{{name: settings, files: [app.conf], literals: [a=https://example.org]}}]
transformers: [labels.yaml]
""".encode(),
        "prod/replicas.yaml": b"apiVersion: apps/v1\nkind: Deployment\n"
        b"metadata: {name: shop}\nspec: {replicas: 3}\n",
        "prod/app.conf": b"---\nline: two\n",
        "prod/labels.yaml": b"apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: x}\n"
        b"annotations: {team: shop}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n",
    }

    found = {each["kind"]: each for each in render(files, "prod", sandbox=sandbox)}

    assert set(found) == {"Service", "Deployment", "ConfigMap"}
    assert {each["metadata"]["namespace"] for each in found.values()} == {"shop"}
    assert {each["metadata"]["annotations"]["team"] for each in found.values()} == {"shop"}
    spec = found["Deployment"]["spec"]
    assert spec["replicas"] == 3
    assert spec["template"]["spec"]["containers"][0]["image"] == f"registry.example/shop@{_DIGEST}"
    assert found["ConfigMap"]["data"] == {
        "app.conf": "---\nline: two\n",
        "a": "https://example.org",
    }


def test_a_patch_of_everything_stays_within_the_files(sandbox: Sandbox) -> None:
    """G16."""
    patch = b"patches:\n- patch: |-\n    - {op: add, path: /metadata/labels, value: {x: v}}\n"
    patch += b"  target: {kind: .*}\n"
    files = {**BASE, "kustomization.yaml": b"resources: [base]\n" + patch}

    found = render(files, ".", sandbox=sandbox)

    assert [each["metadata"] for each in found] == [{"name": "shop", "labels": {"x": "v"}}] * 2


def test_what_does_not_render_says_why(sandbox: Sandbox) -> None:
    files = {**BASE, "kustomization.yaml": b"resources: [base]\npatches: [{path: p.yaml}]\n"}
    files["p.yaml"] = b"apiVersion: v1\nkind: Service\nmetadata: {name: other}\n"

    with pytest.raises(Failure, match="no matches for Id") as raised:
        render(files, ".", sandbox=sandbox)
    assert raised.value.reason is Reason.RENDER_FAILED


def test_the_same_object_twice_is_refused(sandbox: Sandbox) -> None:
    """G18."""
    files = {**BASE, "kustomization.yaml": b"resources: [base, base/service.yaml]\n"}

    with pytest.raises(Failure) as raised:
        render(files, ".", sandbox=sandbox)
    assert raised.value.reason in (Reason.RENDER_FAILED, Reason.RENDER_REFUSED)


@pytest.mark.parametrize(
    "form",
    [
        "http://127.0.0.1:{port}/x.yaml",
        "http://127.0.0.1:{port}/x.git",
        "git::http://127.0.0.1:{port}/x",
    ],
)
def test_behind_the_scan_there_is_no_network(sandbox: Sandbox, form: str) -> None:
    """G19, G25: the child itself, given what the scan would have refused."""
    with listener() as elsewhere:
        text = f"resources: ['{form.format(port=elsewhere.port)}']\n".encode()

        with pytest.raises(Failure) as raised:
            sandbox.run(["kubectl", "kustomize", "."], {"kustomization.yaml": text})

        assert raised.value.reason is Reason.RENDER_FAILED
        assert elsewhere.connections == 0


def test_behind_the_scan_there_is_no_file_and_no_repository(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """G12, G13, G19: kubectl reads any file it can open; a canary that everybody may read is not there."""
    repository = tmp_path / "repo"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    canary = repository / CANARY
    canary.write_text(CANARY)
    for directory in (repository, *tmp_path.parents[:2], tmp_path):
        directory.chmod(0o755)
    runs = [
        (
            ["create", "configmap", "x", f"--from-file={canary}", "--dry-run=client", "-o", "yaml"],
            {},
        ),
        (
            [
                "create",
                "configmap",
                "x",
                "--from-file=/etc/passwd",
                "--dry-run=client",
                "-o",
                "yaml",
            ],
            {},
        ),
        (
            [
                "create",
                "configmap",
                "x",
                "--from-file=/proc/self/environ",
                "--dry-run=client",
                "-o",
                "yaml",
            ],
            {},
        ),
        (
            ["kustomize", "."],
            {"kustomization.yaml": f"resources: ['file://{repository}']\n".encode()},
        ),
        (["kustomize", "."], {"kustomization.yaml": f"resources: ['{canary}']\n".encode()}),
        (["kustomize", "--enable-helm", "."], {"kustomization.yaml": b"helmCharts: [{name: x}]\n"}),
    ]
    for argv, files in runs:
        with pytest.raises(Failure) as raised:
            sandbox.run(["kubectl", *argv], files)
        assert raised.value.reason is Reason.RENDER_FAILED
        assert "root:" not in raised.value.message


def test_behind_the_scan_an_alias_bomb_ends_at_a_limit() -> None:
    """G17, G28: nine levels stand for 490 million nodes."""
    bomb = next(content for name, content, _ in hostile.YAML if name == "alias bomb")
    small = Sandbox.probe(kubectl=binaries()["kubectl"], limits=Limits(cpu=4))
    files = {"kustomization.yaml": b"resources: [a.yaml]\n", "a.yaml": bomb}

    with pytest.raises(Failure) as raised:
        small.run(["kubectl", "kustomize", "."], files)
    assert raised.value.reason is Reason.RENDER_LIMIT


def test_a_kubeconfig_beside_the_files_is_not_used(sandbox: Sandbox, tmp_path: Path) -> None:
    """G24, G27: no cluster is asked, and its exec plugin does not run."""
    with listener() as elsewhere:
        config = f"""apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{elsewhere.port}'}}}}]
users:
- name: u
  user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: [{tmp_path}/x]}}}}
"""
        files = {**BASE, "base/kubeconfig": config.encode(), "base/.kube/config": config.encode()}

        assert len(render(files, "base", sandbox=sandbox)) == 2

        assert elsewhere.connections == 0
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("vector", hostile.KUSTOMIZATIONS, ids=lambda v: f"{v.id} {v.name}")
def test_with_the_real_kubectl_nothing_hostile_renders(
    vector: hostile.HostileFiles, sandbox: Sandbox
) -> None:
    with pytest.raises(Failure) as raised:
        render(vector.files, vector.path, sandbox=sandbox)
    assert raised.value.reason is Reason.RENDER_REFUSED


_TEST = f"- {{op: test, path: /stringData/password, value: {CANARY}x}}"
_REMOVE = "- {op: remove, path: /x/y}"
_SECRET = (
    f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{password: {CANARY}}}\n"
)


@pytest.mark.parametrize(
    ("kustomization", "more"),
    [
        (f"secretGenerator: [{{name: g, literals: [{CANARY}]}}]", {}),
        (f"secretGenerator: [{{name: g, literals: ['a={CANARY}', 'a={CANARY}']}}]", {}),
        ("secretGenerator: [{name: g, envs: [a.env]}]", {"a.env": f"A={CANARY}\nA={CANARY}\n"}),
        ("secretGenerator: [{name: g, files: [a=a.env, a=a.env]}]", {"a.env": CANARY}),
        (f"patches:\n- patch: |-\n    {CANARY}\n    b\n  target: {{kind: Secret}}", {}),
        (f"patches:\n- patch: '[{{op: replace, path: /data/x, value: {CANARY}}}]'", {}),
        (f"patches:\n- target: {{kind: Secret}}\n  patch: |-\n    {_TEST}\n    {_REMOVE}", {}),
        ("resources: [s.yaml, t.yaml]", {"t.yaml": _SECRET}),
        ("resources: [t.yaml]", {"t.yaml": _SECRET.replace("name: s", "nam: s")}),
    ],
)  # fmt: skip
def test_what_kustomize_quotes_is_no_secret(
    sandbox: Sandbox, kustomization: str, more: dict[str, str]
) -> None:
    """G40: messages go into events and dead letters."""
    start = "" if "resources" in kustomization else "resources: [s.yaml]\n"
    files = {"s.yaml": _SECRET, "kustomization.yaml": f"{start}{kustomization}\n", **more}

    with pytest.raises(Failure) as raised:
        render({name: text.encode() for name, text in files.items()}, ".", sandbox=sandbox)

    assert CANARY not in str(raised.value)
