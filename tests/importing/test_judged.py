"""What is imported decides: evidence by the keys of the source admits, and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagepass.cli.main import run
from tests.importing.conftest import EXAMPLES
from tests.world import IMAGE, signed_claim, stored

_SIGN, _BUILT = "https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"
_CIP = ("policy-controller", ["cip-keys.yaml"], ["--cluster", "prod", "--namespace", "shop"])
_KYVERNO = ("kyverno", ["kyverno-ivp-signed.yaml"], ["--cluster", "prod", "--namespace", "shop"])
_GBA = (
    "gba",
    ["binauthz-policy.yaml", "binauthz-attestors.yaml"],
    ["--namespace", "shop", "--image", "registry.example.com/shop/**"],
)


@pytest.mark.parametrize(
    ("source", "cluster", "evidence", "code"),
    [
        (_CIP, "prod", [(_SIGN, "ci"), (_BUILT, "ci")], 0),
        (_CIP, "prod", [(_SIGN, "scanner"), (_BUILT, "ci")], 0),
        (_CIP, "prod", [(_SIGN, "stranger"), (_BUILT, "ci")], 1),
        (_CIP, "prod", [(_BUILT, "ci")], 1),
        (_CIP, "other", [(_SIGN, "ci"), (_BUILT, "ci")], 1),
        (_GBA, "europe-west1.prod", [(_SIGN, "ci"), (_SIGN, "scanner")], 0),
        (_GBA, "europe-west1.prod", [(_SIGN, "ci")], 1),
        (_GBA, "europe-west1.lab", [(_SIGN, "ci"), (_SIGN, "scanner")], 1),
        (_KYVERNO, "prod", [(_SIGN, "ci"), (_BUILT, "ci")], 0),
        (_KYVERNO, "prod", [(_SIGN, "ci"), (_BUILT, "scanner")], 1),
    ],
)
def test_an_imported_set_decides(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    source: tuple[str, list[str], list[str]],
    cluster: str,
    evidence: list[tuple[str, str]],
    code: int,
) -> None:
    system, names, options = source
    policy, store = tmp_path / "policy", tmp_path / "evidence"
    run(
        [
            "import",
            system,
            *(str(EXAMPLES / name) for name in names),
            *options,
            "--into",
            str(policy),
        ]
    )
    stored(store, [signed_claim(kind, by) for kind, by in evidence])
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "image": str(IMAGE)}]},
    }  # fmt: skip
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    asked = ["admit", str(tmp_path / "pod.json"), "--policy", str(policy), "--cluster", cluster]
    assert run([*asked, "--evidence", f"dir:{store}"]) == code, capsys.readouterr()


def test_what_is_imported_whole_lints_clean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy"
    arguments = ["import", _CIP[0], str(EXAMPLES / _CIP[1][0]), *_CIP[2], "--into", str(policy)]
    assert run(arguments) == 0
    assert run(["policy", "lint", str(policy)]) == 0, capsys.readouterr()


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("kind: Defaults\n")
    arguments = ["import", _CIP[0], str(EXAMPLES / _CIP[1][0]), "--into", str(tmp_path)]
    assert run(arguments) == 64
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_policy_goes_to_stdout_and_what_is_told_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = str(EXAMPLES / "cip-more.yaml")
    assert run(["import", "policy-controller", file]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("apiVersion: stagepass.dev/v1\nkind: Attestors\n")
    assert f"not-translated {file}:35: spec.authorities[1].key.kms: " in captured.err


@pytest.mark.parametrize(
    ("system", "text", "message"),
    [
        ("policy-controller", "kind: Pod\n", "is of the kind 'Pod'"),
        ("policy-controller", "kind: ClusterImagePolicy\nkind: Pod\n", "line 2: the key 'kind' stands twice"),
        ("kyverno", "- a\n", "1: the document: is not a mapping"),
        ("gba", "a: 1\n", "is neither a policy nor an attestor"),
        ("gba", "kind: [\n", "not YAML"),
        ("kyverno", "kind: ClusterPolicy\nmetadata: {name: 3}\n", ":2: metadata.name: is not text"),
        (
            "policy-controller",
            "a: &a [" + "1," * 5000 + "]\nb: &b [" + "*a," * 40 + "]\nc: [" + "*b," * 40 + "]\n",
            "nodes or",
        ),
    ],
)  # fmt: skip
def test_what_is_no_such_policy_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, text: str, message: str
) -> None:
    (tmp_path / "source.yaml").write_text(text)
    assert run(["import", system, str(tmp_path / "source.yaml")]) == 64
    assert message in capsys.readouterr().err
