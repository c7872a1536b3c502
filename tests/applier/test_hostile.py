from __future__ import annotations

import re
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import Ref
from applier.git_objects import Objects
from applier.render import Sandbox, render
from applier.tree import TreeLimits
from tests.applier import hostile
from tests.applier.hostile import CANARY, HostileFiles, HostileTree
from tests.applier.world import MAIN, listener, mirror, stand_in
from tests.simulators.git import GitServer
from tests.simulators.git_store import Repository

_HOOKS = (
    "reference-transaction",
    "post-update",
    "pre-receive",
    "post-checkout",
    "fsmonitor",
    "pre-auto-gc",
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """What it prints is an object: no refusal may come from it."""
    return stand_in(tmp_path_factory.mktemp("bin"))


@pytest.mark.parametrize("vector", hostile.TREES, ids=lambda v: f"{v.id} {v.name}")
def test_a_hostile_tree_is_refused_by_its_listing(vector: HostileTree, tmp_path: Path) -> None:
    """By us alone: `git fsck`, which runs at the fetch, is another line of defence."""
    repository = Repository.create(tmp_path / "r.git")
    tree = vector.build(repository)

    with pytest.raises(Failure, match=re.escape(vector.says)) as raised:
        Objects(repository.path).read(tree, TreeLimits())
    assert raised.value.reason is Reason.TREE_REFUSED


@pytest.mark.parametrize("vector", hostile.TREES, ids=lambda v: f"{v.id} {v.name}")
def test_a_hostile_tree_is_never_read_through_a_mirror(
    vector: HostileTree, server: GitServer, tmp_path: Path
) -> None:
    repository = server.create("deploy")
    repository.advance("main", vector.build(repository))
    found = mirror(server.url("deploy"), tmp_path / "mirrors")

    def fetch_and_read() -> None:
        found.fetch([MAIN], timeout=60)
        found.read(found.tree_of(found.head(MAIN), "."))

    with pytest.raises(Failure) as raised:
        fetch_and_read()
    assert raised.value.reason in (Reason.TREE_REFUSED, Reason.GIT_REFUSED)


@pytest.mark.parametrize("vector", hostile.KUSTOMIZATIONS, ids=lambda v: f"{v.id} {v.name}")
def test_hostile_files_are_refused_before_anything_runs(
    vector: HostileFiles, sandbox: Sandbox
) -> None:
    with pytest.raises(Failure) as raised:
        render(vector.files, vector.path, sandbox=sandbox)

    assert raised.value.reason is Reason.RENDER_REFUSED
    assert vector.says in raised.value.message


@pytest.mark.parametrize(
    ("name", "content", "says"), hostile.YAML, ids=[v[0] for v in hostile.YAML]
)
@pytest.mark.parametrize("field", ["resources", "patchesStrategicMerge", ""])
def test_yaml_with_two_meanings_is_refused(
    name: str, content: bytes, says: str, field: str, sandbox: Sandbox
) -> None:
    """G17: as plain YAML, and wherever a kustomization names it."""
    files = {"a.yaml": content}
    if field:
        files["kustomization.yaml"] = f"{field}: [a.yaml]\n".encode()

    with pytest.raises(Failure) as raised:
        render(files, ".", sandbox=sandbox)

    assert raised.value.reason is Reason.RENDER_REFUSED, name
    assert says in raised.value.message


@pytest.mark.parametrize(
    ("name", "content", "says"), hostile.OBJECTS, ids=[v[0] for v in hostile.OBJECTS]
)
def test_objects_that_are_none_are_refused(
    name: str, content: bytes, says: str, sandbox: Sandbox
) -> None:
    """G18."""
    with pytest.raises(Failure) as raised:
        render({"a.yaml": content}, ".", sandbox=sandbox)

    assert raised.value.reason is Reason.RENDER_REFUSED, name
    assert says in raised.value.message


def test_hooks_filters_and_attributes_are_inert(server: GitServer, tmp_path: Path) -> None:
    """G01-G04, G08: on either side, in the content, the mirror's directory and its configuration."""
    canary = tmp_path / CANARY
    script = f"#!/bin/sh\ntouch {canary}\n"
    with listener() as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.port}/x.git"
        files = {
            ".gitattributes": b"* filter=lfs export-subst diff=x\nb.txt export-ignore\n",
            ".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = {url}\n'.encode(),
            ".lfsconfig": f"[lfs]\n\turl = {url}\n".encode(),
            "a.txt": b"$Format:%H$\r\n",
            "b.txt": b"b",
            **{f".githooks/{name}": script.encode() for name in _HOOKS},
        }
        repository = server.create("deploy")
        repository.commit("main", files)
        found = mirror(server.url("deploy"), tmp_path / "mirrors")
        found.fetch([MAIN], timeout=30)
        path = next((tmp_path / "mirrors").glob("*.git"))
        arm(path, script, url)
        files["c.txt"] = b"c"
        repository.commit("main", files)

        found.fetch([MAIN], timeout=30)

        assert found.read(found.tree_of(found.head(MAIN), ".")) == files
        assert elsewhere.connections == 0
    assert not canary.exists()


def arm(path: Path, script: str, url: str) -> None:
    """Hooks and settings as a template or an attacker in the mirror's directory would leave them."""
    (path / "hooks").mkdir()
    for name in _HOOKS:
        (path / "hooks" / name).write_text(script)
        (path / "hooks" / name).chmod(0o755)
    with (path / "config").open("a") as config:
        config.write(f"\thooksPath = {path}/hooks\n\tfsmonitor = {path}/hooks/fsmonitor\n")
        config.write(
            f"\tsshCommand = {path}/hooks/post-update\n\taskPass = {path}/hooks/post-update\n"
        )
        config.write(f'[filter "lfs"]\n\tsmudge = {path}/hooks/post-update\n\trequired = true\n')
        config.write(
            f"[credential]\n\thelper = !{path}/hooks/post-update\n[fetch]\n\tbundleURI = {url}\n"
        )


@pytest.mark.parametrize("fault", ["redirect", "dumb"])
def test_a_server_sends_us_nowhere_else(server: GitServer, tmp_path: Path, fault: str) -> None:
    """G09: redirects, and the alternates of a server that only has files."""
    repository = server.create("deploy")
    commit = repository.commit("main", {"a": b"1"})
    with listener() as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.port}/x.git"
        (repository.path / "info").mkdir(exist_ok=True)
        (repository.path / "info" / "refs").write_text(f"{commit}\trefs/heads/main\n")
        (repository.path / "objects" / "info" / "http-alternates").write_text(f"{url}/objects\n")
        blob = repository.blob(b"1")
        file = repository.path / "objects" / blob[:2] / blob[2:]
        file.rename(tmp_path / "gone")  # so that a client would look into the alternates
        setattr(server.faults, fault, url if fault == "redirect" else True)

        with pytest.raises(Failure):
            mirror(server.url("deploy"), tmp_path / "mirrors").fetch([MAIN], timeout=30)

        assert elsewhere.connections == 0


def test_alternates_of_a_mirror_are_refused(server: GitServer, tmp_path: Path) -> None:
    """G09: objects that nobody fetched must not answer for those of the URL."""
    server.create("deploy").commit("main", {"a": b"1"})
    found = mirror(server.url("deploy"), tmp_path / "mirrors")
    found.fetch([MAIN], timeout=30)
    path = next((tmp_path / "mirrors").glob("*.git"))
    (path / "objects" / "info" / "alternates").write_text(f"{tmp_path}\n")

    with pytest.raises(Failure, match="alternates"):
        found.fetch([MAIN], timeout=30)


def test_a_ref_name_from_outside_is_no_option() -> None:
    """G07; more in test_git.py."""
    with pytest.raises(Failure):
        Ref("branch", "--upload-pack=touch canary")


def test_every_number_of_the_threat_list_has_a_test() -> None:
    vectors = {v.id for v in hostile.TREES} | {v.id for v in hostile.KUSTOMIZATIONS}
    tests = [p.read_text() for p in Path(__file__).parent.glob("test_*.py")]
    here = set(re.findall(r"G\d\d", "\n".join(tests).replace("G01-G04", "G01 G02 G03 G04")))

    assert {f"G{n:02}" for n in range(1, 29)} <= vectors | here
