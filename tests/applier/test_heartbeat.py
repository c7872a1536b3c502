"""A heartbeat by itself: which commits are one, when it counts, and what it gives away."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from applier.failure import Failure, Reason
from applier.git import GitCredentials
from applier.heartbeat import Heartbeats
from applier.repositories import Repositories, Seen
from stagepass.policy.source import Heartbeat, ServiceAccount, Source
from tests.applier.test_git_signatures import SshKey
from tests.simulators.git import GitServer
from tests.simulators.git_store import Repository

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_MAIN, _BEAT = "refs/heads/main", "refs/heads/heartbeat"


@dataclass
class World:
    """A repository with one commit on main, and who fetches it."""

    server: GitServer
    repository: Repository
    writer: SshKey
    stranger: SshKey
    directory: Path
    source: Source
    kept: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """As a new process, on an empty disk: what was kept is all that is known."""
        self.directory = self.directory / "again"
        self.repositories = Repositories(
            self.directory, lambda _: GitCredentials(), dict(self.kept), self._keep
        )
        self.heartbeats = Heartbeats(self.repositories)

    def _keep(self, seen: Seen) -> None:
        self.kept = dict(seen)

    def main(self, content: bytes = b"1") -> str:
        return self.repository.commit("main", {"app/a": content})

    def beat(
        self,
        at: datetime = NOW,
        *,
        parents: list[str] | None = None,
        tree: str = "",
        message: str = f"heartbeat {_MAIN}",
        sign: Callable[[bytes], bytes] | None = None,
        is_signed: bool = True,
    ) -> str:
        """Write one, by default as it should be, and put the branch there."""
        head = str(self.repository.head("main"))
        tree = tree or self.tree_of(head)
        parents = [head] if parents is None else parents
        signing = (sign or self.writer.sign) if is_signed else None
        commit = self.repository.commit_tree(tree, parents, message, signing, int(at.timestamp()))
        self.repository.point(_BEAT, commit)
        return commit

    def tree_of(self, commit: str) -> str:
        argv = ["git", f"--git-dir={self.repository.path}", "rev-parse", f"{commit}^{{tree}}"]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def fetch(self) -> bool:
        return self.repositories.fetch(
            self.source.git, frozenset({self.source.ref}), frozenset({_BEAT})
        )

    def check(self, now: datetime = NOW) -> None:
        """Fetch, and judge."""
        self.fetch()
        self.heartbeats.check(self.source, now)

    def refused(self, message: str, now: datetime = NOW) -> Failure:
        with pytest.raises(Failure, match=message) as raised:
            self.check(now)
        assert raised.value.reason is Reason.HEARTBEAT_MISSING, raised.value
        return raised.value


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, SshKey]:
    directory = tmp_path_factory.mktemp("keys")
    return {name: SshKey(directory, name) for name in ("writer", "stranger")}


@pytest.fixture
def world(tmp_path: Path, keys: Mapping[str, SshKey]) -> Iterator[World]:
    with GitServer(tmp_path / "served") as server:
        repository = server.create("deploy")
        source = Source(
            git=server.url("deploy"),
            ref=_MAIN,
            path="app",
            root="app",
            account=ServiceAccount("shop", "deployer"),
            ssh_signers=keys["writer"].allowed(),
            heartbeat=Heartbeat(_BEAT, _DAY),
        )
        made = World(server, repository, keys["writer"], keys["stranger"], tmp_path, source)
        made.main()
        yield made


def test_a_fresh_one_on_the_head_counts(world: World) -> None:
    world.beat()

    world.check()


def test_one_on_a_commit_before_the_head_counts(world: World) -> None:
    """Commits are pushed between two heartbeats."""
    world.beat()
    world.main(b"2")

    world.check()


@pytest.mark.parametrize("age", [-timedelta(minutes=5), timedelta(), _DAY])
def test_it_counts_from_five_minutes_ahead_until_it_is_too_old(
    world: World, age: timedelta
) -> None:
    world.beat(NOW - age)

    world.check()
    if age > timedelta():
        world.refused("counted until 2026-11-26T12:00:00Z", NOW + _SECOND)


def test_one_of_a_time_to_come_does_not_count_yet(world: World) -> None:
    world.beat(NOW + timedelta(minutes=5, seconds=1))

    failure = world.refused("time to come")

    assert failure.wakes == NOW + _SECOND
    world.check(failure.wakes)


def test_without_one_nothing_counts(world: World) -> None:
    world.refused("there is no commit at refs/heads/heartbeat")


def test_a_source_that_asks_for_none_needs_none(world: World) -> None:
    world.source = replace(world.source, heartbeat=None)

    world.check()


_FORGED: Mapping[str, tuple[Callable[[World], str], str]] = {
    "not signed": (lambda w: w.beat(is_signed=False), "not signed"),
    "signed by a stranger": (lambda w: w.beat(sign=w.stranger.sign), "not among the allowed"),
    "of another branch": (lambda w: w.beat(message="heartbeat refs/heads/x"), "no commit with one"),
    "an ordinary commit": (lambda w: w.beat(message="fix"), "no commit with one parent"),
    "a word more": (lambda w: w.beat(message=f"heartbeat {_MAIN}\n\nx"), "no commit with one"),
    "without a parent": (lambda w: w.beat(parents=[]), "no commit with one parent"),
    "a merge": (lambda w: w.beat(parents=[w.main(), w.main(b"3")]), "no commit with one parent"),
    "not empty": (lambda w: w.beat(tree=w.repository.files({"app/b": b"1"})), "is not empty"),
}


@pytest.mark.parametrize("what", _FORGED)
def test_what_is_no_heartbeat_does_not_count(world: World, what: str) -> None:
    """Else signed commits that lie about would keep a frozen branch looking fresh."""
    forge, message = _FORGED[what]
    forge(world)

    world.refused(message)


def test_a_tag_or_a_tree_at_its_branch_is_no_heartbeat(world: World) -> None:
    world.repository.point(_BEAT, world.repository.files({"a": b"1"}))

    world.refused("there is no commit")


def test_a_signer_of_its_own_signs_it_and_the_commit_signers_do_not(world: World) -> None:
    """The key that lies in a nightly job need not be one that may deploy."""
    own = Heartbeat(_BEAT, _DAY, ssh_signers=world.stranger.allowed())
    world.source = replace(world.source, heartbeat=own)
    world.beat(sign=world.stranger.sign)
    world.check()

    world.beat()
    world.refused("not among the allowed")


def test_a_server_that_withholds_the_head_is_given_away(world: World) -> None:
    """It shows the newest heartbeat, and an older head than its writer saw."""
    old, new = str(world.repository.head("main")), world.main(b"2")
    world.beat()
    world.server.faults.frozen = {_MAIN: old}

    world.refused(f"was written on {new[:12]}, which the server does not give")
    assert world.repositories.head(world.source) == old

    world.server.faults.frozen = {}
    world.check()


def test_a_server_that_withholds_everything_is_noticed_in_time(world: World) -> None:
    world.server.faults.frozen = {_MAIN: str(world.repository.head("main")), _BEAT: world.beat()}
    world.main(b"2")
    world.beat(NOW + _DAY)

    world.check(NOW + _DAY)
    world.refused("counted until", NOW + _DAY + _SECOND)


def test_a_server_that_hangs_up_is_noticed_in_time(world: World) -> None:
    world.beat()
    world.check()
    world.server.faults.down = True

    world.check(NOW + _DAY)
    world.refused("counted until", NOW + _DAY + _SECOND)


def test_an_older_one_does_not_come_back(world: World) -> None:
    """Also after a restart on an empty disk: what gave the server away is not taken back."""
    old, older = str(world.repository.head("main")), world.beat(NOW - _SECOND)
    world.main(b"2")
    world.beat()
    world.server.faults.frozen = {_MAIN: old}
    world.refused("was written on")
    world.repository.point(_BEAT, older)

    world.refused("is older than one that was seen, of 2026-11-26T12:00:00Z")
    world.start()
    world.refused("is older than one that was seen")


def test_a_forged_one_of_a_later_time_does_not_outdate_the_true_one(world: World) -> None:
    """Nor does a true one whose clock is wrong: it was not seen until its time has come."""
    world.beat(NOW + _SECOND, is_signed=False)
    world.refused("not signed")
    world.beat(NOW + _DAY)
    world.refused("time to come")

    world.beat(NOW)
    world.check()


def test_it_moves_no_head_and_is_bound_by_none(world: World) -> None:
    """Its branch is set anew each time, which no branch that is deployed may be."""
    world.beat(NOW - _SECOND)
    assert world.fetch()
    first = world.repositories.beat(world.source.git, _BEAT)
    second = world.beat()

    assert not world.fetch()
    assert world.repositories.beat(world.source.git, _BEAT) == second != first
    world.check()


def test_a_restart_without_git_finds_nothing_out(world: World) -> None:
    """Which is not the same as a heartbeat that is missing."""
    world.beat()
    world.check()
    world.start()
    world.server.faults.down = True

    with pytest.raises(Failure, match="not fetched yet") as raised:
        world.check()
    assert raised.value.reason is Reason.GIT_UNAVAILABLE
    assert world.heartbeats.trouble(world.source, NOW) is None


def test_what_cannot_be_kept_is_not_gone_by(world: World) -> None:
    """Else a restart would forget what was seen."""
    world.beat()
    world.fetch()
    lost = Failure(Reason.API_UNAVAILABLE, "no answer")

    def lose(_: Seen) -> None:
        raise lost

    world.repositories = Repositories(world.directory, lambda _: GitCredentials(), {}, lose)
    world.heartbeats = Heartbeats(world.repositories)
    with pytest.raises(Failure) as raised:
        world.check()
    assert raised.value is lost
