from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import Mirror, Ref, TreeLimits
from tests.applier.world import MAIN, mirror
from tests.simulators.git import GitServer
from tests.simulators.git_store import Repository


def test_what_was_committed_is_read(deploy: Mirror, repository: Repository) -> None:
    files = {
        "app/a.yaml": b"a: 1\n",
        "app/sub/b": bytes(range(256)),
        "app/empty": b"",
        "other": b"x",
    }
    commit = repository.commit("main", files)

    deploy.fetch([MAIN], timeout=30)

    assert deploy.head(MAIN) == commit
    assert deploy.read(deploy.tree_of(commit, ".")) == files
    assert deploy.read(deploy.tree_of(commit, "app")) == {
        "a.yaml": b"a: 1\n",
        "sub/b": bytes(range(256)),
        "empty": b"",
    }


def test_nothing_is_checked_out(deploy: Mirror, repository: Repository, tmp_path: Path) -> None:
    repository.commit("main", {"canary.yaml": b"x"})

    deploy.fetch([MAIN], timeout=30)

    assert not list((tmp_path / "mirrors").rglob("canary*"))
    assert not list((tmp_path / "mirrors").rglob("hooks/*"))


def test_a_fetch_without_news_is_one_listing(
    deploy: Mirror, repository: Repository, server: GitServer
) -> None:
    repository.commit("main", {"a": b"1"})
    deploy.fetch([MAIN], timeout=30)
    server.requests.clear()

    deploy.fetch([MAIN], timeout=30)

    assert [r.method for r in server.requests] == [
        "GET",
        "POST",
    ]  # protocol 2: capabilities, ls-refs


def test_a_missing_ref_is_missing_and_a_deleted_one_as_well(
    deploy: Mirror, repository: Repository
) -> None:
    other = Ref("branch", "refs/heads/other")
    repository.commit("main", {"a": b"1"})
    repository.commit("other", {"a": b"2"})
    deploy.fetch([MAIN, other], timeout=30)
    repository.point("refs/heads/other", None)

    deploy.fetch([MAIN, other, Ref("tag", "refs/tags/none")], timeout=30)

    deploy.head(MAIN)
    for ref in (other, Ref("tag", "refs/tags/none")):
        with pytest.raises(Failure) as raised:
            deploy.head(ref)
        assert raised.value.reason is Reason.REF_MISSING


def test_an_annotated_tag_is_the_commit_it_names(deploy: Mirror, repository: Repository) -> None:
    commit = repository.commit("main", {"a": b"1"})
    repository.annotated_tag("v1", commit)
    tag = Ref("tag", "refs/tags/v1")

    deploy.fetch([tag], timeout=30)

    assert deploy.head(tag) == commit


def test_a_branch_may_become_a_directory_of_branches(
    deploy: Mirror, repository: Repository
) -> None:
    """`refs/heads/a` and `refs/heads/a/b` cannot both be files; here they never are."""
    repository.commit("a", {"x": b"1"})
    deploy.fetch([Ref("branch", "refs/heads/a")], timeout=30)
    repository.point("refs/heads/a", None)
    commit = repository.commit("a/b", {"x": b"2"})

    deploy.fetch([Ref("branch", "refs/heads/a/b")], timeout=30)

    assert deploy.head(Ref("branch", "refs/heads/a/b")) == commit


def test_two_urls_have_two_mirrors_and_one_url_has_one(server: GitServer, tmp_path: Path) -> None:
    for name in ("a", "b"):
        server.create(name).commit("main", {"name": name.encode()})
    for name in ("a", "b", "a"):
        found = mirror(server.url(name), tmp_path / "mirrors")
        found.fetch([MAIN], timeout=30)
        assert found.read(found.tree_of(found.head(MAIN), "."))["name"] == name.encode()

    assert len(list((tmp_path / "mirrors").glob("*.git"))) == 2


def _fetch_often(url: str, directory: Path) -> None:
    for _ in range(3):
        mirror(url, directory).fetch([MAIN], timeout=60)


def test_threads_and_processes_share_a_mirror(
    server: GitServer, repository: Repository, tmp_path: Path
) -> None:
    """The lock file serialises all of them; nobody sees a half-made mirror."""
    repository.commit("main", {"a": b"1"})
    arguments = (server.url("deploy"), tmp_path / "mirrors")
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_fetch_often, args=arguments) for _ in range(2)]
    failures: list[Exception] = []

    def fetch() -> None:
        try:
            _fetch_often(*arguments)
        except Exception as error:  # whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for process in others:
        process.start()
    for thread in threads:
        thread.start()
    for number in range(10):
        repository.commit("main", {"a": str(number).encode()})
    for thread in threads:
        thread.join()
    for process in others:
        process.join()

    assert failures == []
    assert [process.exitcode for process in others] == [0, 0]


def test_what_a_killed_git_left_does_not_stop_the_next(
    deploy: Mirror, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("main", {"a": b"1"})
    deploy.fetch([MAIN], timeout=30)
    path = next((tmp_path / "mirrors").glob("*.git"))
    (path / f"{MAIN.local}.lock").touch()
    (path / "packed-refs.lock").touch()
    (path / "objects" / "pack" / "tmp_pack_XyZ").write_bytes(b"half")
    path.with_suffix(".new").mkdir()
    commit = repository.commit("main", {"a": b"2"})

    deploy.fetch([MAIN], timeout=30)

    assert deploy.head(MAIN) == commit
    assert not list(path.rglob("tmp_pack*"))


def test_packs_are_put_together(deploy: Mirror, repository: Repository, tmp_path: Path) -> None:
    """Each fetch that brings something leaves a pack; an applier lives for months."""
    repository.commit("main", {"a": b"1"})
    deploy.fetch([MAIN], timeout=30)
    (pack,) = (tmp_path / "mirrors").rglob("*.pack")
    for number in range(51):
        for end in (".pack", ".idx"):
            copy = pack.with_name(f"pack-{number:040x}{end}")
            copy.write_bytes(pack.with_suffix(end).read_bytes())

    deploy.fetch([MAIN], timeout=30)

    assert len(list((tmp_path / "mirrors").rglob("*.pack"))) == 1
    assert deploy.read(deploy.tree_of(deploy.head(MAIN), ".")) == {"a": b"1"}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (TreeLimits(files=3), "over 3 files"),
        (TreeLimits(file_bytes=9), "app/big: 10 bytes; at most 9"),
        (TreeLimits(total_bytes=11), "over 11 bytes"),
        (TreeLimits(depth=2), "3 levels; at most 2"),
        (TreeLimits(path_bytes=5), "at most 5"),
    ],
)
def test_each_limit_is_named(
    server: GitServer, repository: Repository, tmp_path: Path, limits: TreeLimits, says: str
) -> None:
    files = {"app/big": b"0123456789", "app/s": b"1", "app/x/y": b"2"}
    commit = repository.commit("main", files)
    deploy = mirror(server.url("deploy"), tmp_path / "mirrors", limits=limits)
    deploy.fetch([MAIN], timeout=30)

    with pytest.raises(Failure, match=says) as raised:
        deploy.read(deploy.tree_of(commit, "."))
    assert raised.value.reason is Reason.TREE_REFUSED


def test_a_damaged_mirror_is_never_rendered(
    deploy: Mirror, repository: Repository, tmp_path: Path
) -> None:
    """git checks hashes at the fetch, not at the read: a bad disk must not change what is applied."""
    commit = repository.commit("main", {"a": b"honest"})
    deploy.fetch([MAIN], timeout=30)
    path = next((tmp_path / "mirrors").glob("*.git"))
    for pack in path.glob("objects/pack/*"):
        pack.unlink()
    tree = repository.files({"a": b"honest"})
    for oid in (commit, tree, repository.blob(b"honest")):
        file = path / "objects" / oid[:2] / oid[2:]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((repository.path / "objects" / oid[:2] / oid[2:]).read_bytes())
    other = repository.blob(b"evil!!")
    victim = repository.blob(b"honest")
    damaged = path / "objects" / victim[:2] / victim[2:]
    damaged.write_bytes((repository.path / "objects" / other[:2] / other[2:]).read_bytes())

    with pytest.raises(Failure) as raised:
        deploy.read(tree)
    assert raised.value.reason is Reason.GIT_UNAVAILABLE


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("branch", "--upload-pack=x"),
        ("branch", "refs/heads/../x"),
        ("branch", "refs/heads/--upload-pack=x"),
        ("branch", f"refs/heads/{'x' * 4096}"),
        ("branch", "refs/heads/x:refs/heads/y"),
        ("branch", "refs/heads/*"),
        ("branch", "refs/heads/a b"),
        ("branch", "refs/heads/x.lock"),
        ("branch", "refs/heads/x@{1}"),
        ("branch", "refs/heads/x^{tree}"),
        ("branch", "main"),
        ("branch", "refs/tags/v1"),
        ("tag", "refs/heads/v1"),
        ("branch", "refs/heads/a\n"),
    ],
)
def test_a_ref_is_a_plain_full_name(kind: str, name: str) -> None:
    """G07."""
    with pytest.raises(Failure) as raised:
        Ref(kind, name)  # type: ignore[arg-type]  # what a policy file may hold
    assert raised.value.reason is Reason.GIT_REFUSED
