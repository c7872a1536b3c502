"""Imported identities decide: certificates of a miniature sigstore, under the root that was given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagepass.cli.main import run
from stagepass.clock import format_time
from tests.keyless.world import WORKFLOW, keyless, root_of
from tests.world import IMAGE, NOW, PROVENANCE, stored

_CIP = f"""\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {{name: shop}}
spec:
  images: [{{glob: "registry.example.com/shop/**"}}]
  authorities:
  - name: release
    keyless:
      url: https://fulcio.sigstore.dev
      identities:
      - issuer: https://token.actions.githubusercontent.com
        subjectRegExp: ^https://github\\.com/acme/shop/\\.github/workflows/release\\.yml@refs/heads/[^/@]+$
    ctlog: {{url: "https://rekor.sigstore.dev"}}
    attestations:
    - {{name: built, predicateType: {PROVENANCE}}}
"""
_KYVERNO = f"""\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: shop}}
spec:
  rules:
  - name: built
    match: {{any: [{{resources: {{kinds: [Pod], namespaces: [shop]}}}}]}}
    verifyImages:
    - imageReferences: ["registry.example.com/shop/*"]
      failureAction: Enforce
      mutateDigest: false
      attestations:
      - type: {PROVENANCE}
        attestors:
        - entries:
          - keyless:
              issuer: https://token.actions.githubusercontent.com
              subject: {WORKFLOW}@refs/heads/*
"""


@pytest.mark.parametrize(("system", "source"), [("policy-controller", _CIP), ("kyverno", _KYVERNO)])
@pytest.mark.parametrize(
    ("subject", "instance", "code"),
    [
        (f"{WORKFLOW}@refs/heads/main", "public-good", 0),
        (f"{WORKFLOW}@refs/tags/v1", "public-good", 1),
        (f"{WORKFLOW}@refs/heads/main", "another", 1),
        (
            "https://github.com/evil/shop/.github/workflows/release.yml@refs/heads/main",
            "public-good",
            1,
        ),
    ],
)
def test_an_imported_identity_decides(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    system: str,
    source: str,
    subject: str,
    instance: str,
    code: int,
) -> None:
    root, policy, store = tmp_path / "root.json", tmp_path / "policy", tmp_path / "evidence"
    root.write_bytes(root_of())
    (tmp_path / "source.yaml").write_text(source)
    given = ["--cluster", "prod", "--namespace", "shop", "--trust-root", f"public-good={root}"]
    asked = ["import", system, str(tmp_path / "source.yaml"), *given, "--into", str(policy)]
    assert run(asked) == 0, capsys.readouterr().err
    stored(store, [keyless(subject=subject, instance=instance)])
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "image": str(IMAGE)}]},
    }  # fmt: skip
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    judged = ["admit", str(tmp_path / "pod.json"), "--policy", str(policy), "--cluster", "prod"]
    assert run([*judged, "--evidence", f"dir:{store}", "--now", format_time(NOW)]) == code, (
        capsys.readouterr()
    )
