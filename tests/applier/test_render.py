from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.render import Limits, Sandbox, render
from applier.render.scan import scan
from applier.render.staging import Stage
from tests.applier.world import running, stand_in
from tests.repository.sources import ROOT


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return stand_in(tmp_path_factory.mktemp("bin"))


def _object(name: str, kind: str = "ConfigMap") -> bytes:
    return f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n".encode()


def _names(files: dict[str, bytes], path: str, sandbox: Sandbox) -> list[str]:
    return [each["metadata"]["name"] for each in render(files, path, sandbox=sandbox)]


def test_plain_files_are_rendered_in_the_order_of_their_names(sandbox: Sandbox) -> None:
    files = {
        "app/z.yaml": _object("z"),
        "app/a/b.yml": _object("b") + b"---\n" + _object("c") + b"---\n# nothing\n",
        "app/README.md": b"not: [yaml",
        "app/x.json": b"{}",
        "other/o.yaml": _object("o"),
        "apple/o.yaml": _object("o"),
    }

    assert _names(files, "app", sandbox) == ["b", "c", "z"]
    assert _names(files, "app/a", sandbox) == ["b", "c"]
    with pytest.raises(Failure, match=r"ConfigMap/o stands in apple/o.yaml already"):
        render(files, ".", sandbox=sandbox)


def test_the_items_of_a_list_are_objects(sandbox: Sandbox) -> None:
    text = b"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n"

    assert _names({"l.yaml": text}, ".", sandbox) == ["a"]


def test_words_keep_their_spelling(sandbox: Sandbox) -> None:
    """`on`, `0777` and dates are text: what we judge is what we send, as JSON."""
    text = _object("a") + b"data: {a: on, b: 0777, c: 2026-01-01, d: .nan, e: 1.50, f: '1'}\n"

    (found,) = render({"a.yaml": text}, ".", sandbox=sandbox)

    assert found["data"] == {
        "a": "on",
        "b": "0777",
        "c": "2026-01-01",
        "d": ".nan",
        "e": 1.5,
        "f": "1",
    }


def test_anchors_may_stand_in_manifests(sandbox: Sandbox) -> None:
    text = _object("a") + b"x: &x {k: v}\ny: *x\n"

    (found,) = render({"a.yaml": text}, ".", sandbox=sandbox)

    assert found["y"] == {"k": "v"}


def test_a_kustomization_below_plain_files_is_not_taken_for_an_object(sandbox: Sandbox) -> None:
    text = (
        b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: a}\n"
    )

    with pytest.raises(Failure, match="let the path be its directory"):
        render({"overlay/kustomization.yaml": text}, ".", sandbox=sandbox)


def test_nothing_is_no_object(sandbox: Sandbox) -> None:
    assert render({}, ".", sandbox=sandbox) == ()
    assert render({"README": b""}, ".", sandbox=sandbox) == ()
    with pytest.raises(Failure, match="no directory 'app'"):
        render({"README": b""}, "app", sandbox=sandbox)


def test_a_scan_names_what_kustomize_will_read_and_no_more() -> None:
    files = {
        "overlay/kustomization.yaml": b"""
resources: [../base, extra.yaml]
components: [../part/]
patches:
- path: patch.yaml
- patch: |-
    - {op: remove, path: /x}
  target: {kind: A}
patchesStrategicMerge:
- |-
  apiVersion: v1
  kind: A
configMapGenerator:
- name: a
  files: [data.bin, key=data2.bin]
  envs: [a.env]
  literals: [a=https://example.org/x]
secretGenerator: [{name: s, literals: [a=b]}]
replacements: [{path: r.yaml}, {source: {kind: A}, targets: []}]
openapi: {path: schema.json}
transformers: [t.yaml]
images: [{name: https://x, newTag: '1'}]
""",
        "overlay/extra.yaml": _object("e"),
        "overlay/patch.yaml": b"a: 1\n",
        "overlay/data.bin": b"\xff: [",
        "overlay/data2.bin": b"",
        "overlay/a.env": b"A=1",
        "overlay/r.yaml": b"a: 1",
        "overlay/schema.json": b"{}",
        "overlay/t.yaml": b"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: p.yaml\n",
        "overlay/p.yaml": b"a: 1",
        "overlay/secret.txt": b"unread",
        "base/Kustomization": b"resources: [b.yaml]\n",
        "base/b.yaml": _object("b"),
        "part/kustomization.yml": b"kind: Component\n",
        "other/kustomization.yaml": b"resources: [https://example.org]\n",
    }

    found = scan(files, "overlay")

    assert found == set(files) - {"overlay/secret.txt", "other/kustomization.yaml"}


def test_two_kustomizations_in_one_place_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(Failure, match="2 kustomizations"):
        render({"kustomization.yaml": b"", "Kustomization": b""}, ".", sandbox=sandbox)


def test_what_differs_from_run_to_run_is_refused(tmp_path: Path) -> None:
    """A real program whose output holds its process number."""
    fickle = stand_in(tmp_path, "echo '  labels: {pid: \"'$$'\"}'")

    with pytest.raises(Failure) as raised:
        render({"kustomization.yaml": b"{}"}, ".", sandbox=fickle)
    assert raised.value.reason is Reason.RENDER_DIFFERS


def test_without_the_kernel_s_sandbox_nothing_is_rendered(tmp_path: Path) -> None:
    """A script needs a shell, which the sandbox has not: so it stands for a kernel that refuses."""
    weaker = stand_in(tmp_path)

    with pytest.raises(Failure) as raised:
        Sandbox.probe(kubectl=tmp_path / "kubectl")

    assert raised.value.reason is Reason.SANDBOX_MISSING
    assert not weaker.isolated
    with pytest.raises(Failure) as raised:
        Sandbox.probe(kubectl=tmp_path / "none", require=False)
    assert raised.value.reason is Reason.SANDBOX_MISSING


def test_a_child_has_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G23."""
    for name in (
        "HELM_PLUGINS",
        "KUSTOMIZE_PLUGIN_HOME",
        "GIT_SSH_COMMAND",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.setenv(name, "canary")
    sandbox = stand_in(
        tmp_path, "export -p | while read -r l; do echo \"# $l\"; done; ls 2>&1; echo '#'$?"
    )

    said = sandbox.run(["kubectl"], {}).decode()

    names = {
        line.split()[2].partition("=")[0]
        for line in said.splitlines()
        if line.startswith("# export")
    }
    assert names - {"PWD", "OLDPWD"} == {
        "PATH", "HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "KUBECONFIG",
    }  # fmt: skip
    assert "canary" not in said
    assert "#127" in said  # nothing is on its PATH


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        ("while :; do :; done", Limits(wall=1)),
        ("while :; do :; done", Limits(cpu=1)),
        ("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", Limits(output=1 << 16)),
    ],
    ids=["wall", "cpu", "output"],
)
def test_a_child_that_takes_too_much_is_ended(tmp_path: Path, body: str, limits: Limits) -> None:
    """G28: with all of its group."""
    greedy = stand_in(tmp_path, f'[ "$1" = kustomize ] || {{ {body}; }}', limits=limits)
    started = time.monotonic()

    with pytest.raises(Failure) as raised:
        greedy.run(["kubectl", "canary-a7"], {})

    assert raised.value.reason is Reason.RENDER_LIMIT
    assert time.monotonic() - started < 20
    assert running("canary-a7") == []


def test_what_a_child_says_is_told(tmp_path: Path) -> None:
    failing = stand_in(
        tmp_path, '[ "$1" = kustomize ] || { echo "no such \033[31mthing" >&2; exit 3; }'
    )

    with pytest.raises(Failure, match=r"kubectl: no such  \[31mthing") as raised:
        failing.run(["kubectl", "x"], {})
    assert raised.value.reason is Reason.RENDER_FAILED


def test_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    sandbox = stand_in(tmp_path, 'echo "# $HOME"')
    said = sandbox.run(["kubectl"], {"a/b": b"secret"}).decode()
    home = Path(said.rpartition("# ")[2].strip())

    base = home.parent.parent
    assert base.name.startswith("stagepass-render-")
    assert sorted(path.name for path in base.iterdir()) == ["lock", "programs"]
    del sandbox
    assert not base.exists()


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Its copies stand in memory, 80 MB each; those of a process that lives stay."""
    stand_in(tmp_path)
    make = "from pathlib import Path; from applier.render.staging import Stage; import os, time; "
    make += f"s = Stage(Path({str(tmp_path)!r}), Path({str(tmp_path)!r}) / 'kubectl'); "
    make += "os.utime(s.base, (0, 0)); print(s.base, flush=True); time.sleep(60)"
    argv = [sys.executable, "-c", make]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        Stage(tmp_path, tmp_path / "kubectl")
        assert left.is_dir()
        other.kill()
        other.wait()

        Stage(tmp_path, tmp_path / "kubectl")
    assert not left.exists()
