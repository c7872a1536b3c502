from __future__ import annotations

from datetime import UTC

import pytest

from applier.failure import Failure, Reason
from applier.git import Mirror
from tests.applier.world import MAIN
from tests.simulators.git_store import Repository


def test_the_history_holds_what_changed_the_root(deploy: Mirror, repository: Repository) -> None:
    first = repository.commit("main", {"app/a": b"1", "docs": b"1"}, "one")
    repository.commit("main", {"app/a": b"1", "docs": b"2"}, "docs only")
    third = repository.commit("main", {"app/a": b"3", "docs": b"2"}, "three\n\nbody")
    deploy.fetch([MAIN], timeout=30)

    found = deploy.history(third, "app", since=None)

    assert [(r.commit, r.subject) for r in found] == [(third, "three"), (first, "one")]
    assert found[0].tree == deploy.tree_of(third, "app") != found[1].tree
    assert found[0].time > found[1].time
    assert found[0].time.tzinfo is UTC
    assert [r.commit for r in deploy.history(third, "app", since=first)] == [third]
    assert [r.commit for r in deploy.history(third, "app", since=None, limit=1)] == [third]
    assert len(deploy.history(third, ".", since=None)) == 3
    assert deploy.history(third, "app", since=third) == []


def test_the_history_follows_first_parents(deploy: Mirror, repository: Repository) -> None:
    """What a merged branch passed through never stood on the branch that is deployed."""
    base = repository.commit("main", {"app/a": b"1"}, "base")
    side = repository.commit_tree(repository.files({"app/a": b"2"}), [base], "side")
    merge = repository.commit_tree(repository.files({"app/a": b"3"}), [base, side], "merge")
    repository.point("refs/heads/main", merge)
    deploy.fetch([MAIN], timeout=30)

    assert [r.subject for r in deploy.history(merge, "app", since=None)] == ["merge", "base"]


def test_a_commit_without_the_root_is_no_revision(deploy: Mirror, repository: Repository) -> None:
    repository.commit("main", {"app/a": b"1"}, "one")
    repository.commit("main", {"x": b"1"}, "gone")
    head = repository.commit("main", {"app/a": b"2"}, "back")
    deploy.fetch([MAIN], timeout=30)

    assert [r.subject for r in deploy.history(head, "app", since=None)] == ["back", "one"]


def test_a_lost_start_bounds_no_history(deploy: Mirror, repository: Repository) -> None:
    """After a mirror was made anew, from a server that has forgotten what was applied."""
    head = repository.commit("main", {"app/a": b"1"}, "one")
    deploy.fetch([MAIN], timeout=30)

    assert [r.commit for r in deploy.history(head, "app", since="e" * 40)] == [head]


@pytest.mark.parametrize("since", [None, "e" * 40])
def test_a_head_that_the_mirror_lacks_has_no_history(
    deploy: Mirror, repository: Repository, since: str | None
) -> None:
    repository.commit("main", {"app/a": b"1"}, "one")
    deploy.fetch([MAIN], timeout=30)

    with pytest.raises(Failure) as raised:
        deploy.history("f" * 40, "app", since=since)
    assert raised.value.reason in (Reason.GIT_UNAVAILABLE, Reason.PATH_MISSING)


@pytest.mark.parametrize("root", ["none", "file", "../x", "/app", "", "app/", "a\nb", ":(top)app"])
def test_a_root_that_is_no_directory_is_missing(
    deploy: Mirror, repository: Repository, root: str
) -> None:
    head = repository.commit("main", {"app/a": b"1", "file": b"2"})
    deploy.fetch([MAIN], timeout=30)

    with pytest.raises(Failure) as raised:
        deploy.history(head, root, since=None)
    assert raised.value.reason is Reason.PATH_MISSING


def test_a_force_push_is_seen_by_who_asks(deploy: Mirror, repository: Repository) -> None:
    """G38: the mirror follows, and says that the new head does not descend."""
    first = repository.commit("main", {"a": b"1"})
    second = repository.commit("main", {"a": b"2"})
    deploy.fetch([MAIN], timeout=30)
    forced = repository.commit_tree(repository.files({"a": b"evil"}), [first])
    repository.point("refs/heads/main", forced)

    deploy.fetch([MAIN], timeout=30)

    assert deploy.head(MAIN) == forced
    assert deploy.descends(second, first)
    assert deploy.descends(second, second)
    assert not deploy.descends(forced, second)
    assert not deploy.descends(first, second)
    assert not deploy.descends(forced, "0" * 40)
