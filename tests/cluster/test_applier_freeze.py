"""What a Git server that withholds commits (G39) does to a running applier: what runs is kept, no more."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.applier.test_git_signatures import SshKey
from tests.applier_faults.site import API, Site
from tests.cluster.delivery import config_map
from tests.cluster.test_applier_hostile import Shop
from tests.simulators.proxy import PASS, Call, Fate

pytestmark = pytest.mark.cluster

_MAIN, _BEAT = "refs/heads/main", "refs/heads/heartbeat"
_MISSING = "HEARTBEAT_MISSING"
_HOUR = 3600


class Beating(Shop):
    """A shop whose policy asks for a heartbeat by a key of its own, and who writes it."""

    def __init__(self, site: Site, keys: Path) -> None:
        super().__init__(site)
        self.writer, self.stranger = SshKey(keys, "writer"), SshKey(keys, "stranger")
        self.repository = self.team.repository
        signers = self.team.policy / "keys" / "heartbeat_signers"
        signers.write_bytes(self.writer.allowed('namespaces="git"'))

    def ask(self, age: str = "24h", soak: str = "") -> None:
        """Write the policy."""

        def change(stages: list[dict[str, Any]]) -> None:
            signers = {"ssh": "keys/heartbeat_signers"}
            heartbeat = {"ref": "heartbeat", "maxAge": age, "signers": signers}
            stages[0]["source"]["heartbeat"] = heartbeat
            if soak:
                stages[1]["after"] = [{"stage": "test", "soak": soak}]

        self.team.write_policy(change)

    def beat(
        self,
        age: int = 0,
        *,
        sign: Callable[[bytes], bytes] | None = None,
        message: str = f"heartbeat {_MAIN}",
        is_signed: bool = True,
    ) -> str:
        """Write a heartbeat of `age` seconds ago on the head of main; the commit."""
        head = str(self.repository.head("main"))
        argv = ["git", f"--git-dir={self.repository.path}", "rev-parse", f"{head}^{{tree}}"]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        signing = (sign or self.writer.sign) if is_signed else None
        at = int(time.time()) - age
        commit = self.repository.commit_tree(done.stdout.strip(), [head], message, signing, at)
        self.repository.point(_BEAT, commit)
        return commit

    def mend(self) -> None:
        """An honest server, and a heartbeat as it should be."""
        self.site.git.faults.frozen = {}
        self.ask()
        self.beat()

    def newer(self) -> str:
        """Commit a version that nothing but the heartbeat keeps from being entered."""
        return self.team.commit(self.files(config_map(f"newer-{time.monotonic_ns()}", a="b")))


@pytest.fixture(scope="module")
def beating() -> Iterator[Beating]:
    # A short path: etcd's Unix socket has room for 107 characters.
    with tempfile.TemporaryDirectory(prefix="freeze-") as folder, Site(Path(folder)) as running:
        keys = Path(folder) / "ssh"
        keys.mkdir()
        yield Beating(running, keys)


@pytest.fixture
def shop(beating: Beating) -> Beating:
    beating.newer()
    beating.mend()
    beating.settle(config_map("marker", at=str(time.monotonic_ns())))  # a tree that never was
    return beating


def _withhold_main(shop: Beating) -> None:
    """The head stands still for us, while heartbeats go on: its writer sees more than we do."""
    shop.site.git.faults.frozen = {_MAIN: shop.good}
    shop.newer()
    shop.beat()


def _withhold_everything(shop: Beating) -> None:
    """Not to be told from a quiet repository until a heartbeat is due."""
    shop.site.git.faults.frozen = {_MAIN: shop.good, _BEAT: shop.beat()}
    shop.newer()
    shop.ask(age="3s")


def _hang_up(shop: Beating) -> None:
    shop.site.git.faults.down = True
    shop.ask(age="3s")


_FROZEN: Mapping[str, tuple[Callable[[Beating], object], str]] = {
    "the server withholds main": (_withhold_main, "which the server does not give as part of"),
    "the server withholds everything": (_withhold_everything, "counted until"),
    "the server hangs up": (_hang_up, "counted until"),
    "the heartbeat is gone": (lambda s: s.repository.point(_BEAT, None), "there is no commit at"),
    "the heartbeat is an old one": (lambda s: s.beat(25 * _HOUR), "older than one that was seen"),
    "the heartbeat is of tomorrow": (lambda s: s.beat(-24 * _HOUR), "of a time to come"),
    "the heartbeat is not signed": (lambda s: s.beat(is_signed=False), "is not signed"),
    "a stranger signed the heartbeat": (lambda s: s.beat(sign=s.stranger.sign), "not among"),
    "the heartbeat is of another branch": (
        lambda s: s.beat(message="heartbeat refs/heads/production"),
        "no commit with one parent and the message",
    ),
}


@pytest.mark.parametrize("how", _FROZEN)
def test_without_a_heartbeat_that_counts_what_runs_is_kept_and_nothing_enters(
    shop: Beating, how: str
) -> None:
    """It says why, and goes on by itself with the next heartbeat."""
    freeze, says = _FROZEN[how]
    passed = shop.delivery.last()["passed"]

    freeze(shop)
    shop.delivery.wait_reason(_MISSING)
    newer = shop.newer()
    assert says in shop.delivery.last()["message"]
    shop.kubectl("-n", "shop", "delete", "configmap", "base-1")
    shop.delivery.wait(lambda: shop.delivery.live("configmap", "base-1"))
    time.sleep(1.5)  # Git is asked three times, and the policy once

    last = shop.delivery.last()
    assert (last["applied"], last["passed"], last["reason"]) == (shop.good, passed, _MISSING)
    assert not last["dead"]
    shop.site.git.faults.down = False
    shop.mend()
    shop.delivery.wait_passed(newer)
    shop.delivery.wait(lambda: shop.delivery.last()["reason"] is None)


def test_no_pass_is_signed_without_a_heartbeat_and_one_restarts_no_soak(shop: Beating) -> None:
    shop.ask(soak="6s")
    newer = shop.newer()
    shop.delivery.wait_applied(newer)
    shop.delivery.wait_reason("SOAKING")
    since = shop.site.state()["healthySince"]
    shop.repository.point(_BEAT, None)
    shop.delivery.wait_reason(_MISSING)
    time.sleep(7)

    assert shop.delivery.last()["passed"] != newer
    assert shop.delivery.last()["applied"] == newer
    shop.beat()
    shop.delivery.wait_passed(newer)
    assert shop.site.state()["healthySince"] == since


def test_heartbeats_alone_write_nothing_but_that_they_were_seen(shop: Beating) -> None:
    written: list[Call] = []

    def note(door: str, call: Call) -> Fate:
        if door == API and call.method != "GET":
            written.append(call)
        return PASS

    time.sleep(3)  # the policy that the test before left is looked at once a second
    before = shop.site.state()
    shop.site.rule = note
    for _ in range(3):
        time.sleep(2)  # as long as between two looks at all that runs
        shop.beat()
    time.sleep(3)

    assert {call.path.rpartition("/")[2] for call in written} == {"stagepass-sources"}
    assert 1 <= len(written) <= 3
    assert shop.site.state() == before


def test_a_restart_forgets_no_heartbeat(shop: Beating) -> None:
    """Not even one on an empty disk: an older one, with the older head it was for, stays refused."""
    old = shop.repository.head("heartbeat")
    time.sleep(1)  # the next one is of another second
    _withhold_main(shop)
    shop.delivery.wait_reason(_MISSING)
    shop.repository.point(_BEAT, old)
    shop.delivery.kill()
    subprocess.run(["rm", "-r", str(shop.delivery.directory / "state" / "git")], check=True)
    shop.delivery.log_file.write_text("")
    shop.delivery.start()

    shop.delivery.wait_reason(_MISSING)

    assert "older than one that was seen" in shop.delivery.last()["message"]
    planned = shop.delivery.run(
        *("plan", "--pipeline", "shop", "--stage", "test", "--output", "json")
    )
    assert planned.returncode == 1, planned.stderr
    blocked = json.loads(planned.stdout)["blocked"]
    assert [each["reason"] for each in blocked] == [_MISSING]
