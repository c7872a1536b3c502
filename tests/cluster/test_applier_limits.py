"""Packs (G11) and renders (G28) that take too much, in a running applier: ended, tried again, given up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.applier.formats import FormatRepository
from tests.applier.hostile import CANARY
from tests.applier.world import Listener, listener
from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import ROOT, Delivery, Team, config_map
from tests.cluster.hostile_rows import Source, write_policy
from tests.cluster.watched import Watched
from tests.simulators.git import GitServer
from tests.simulators.git_bombs import chained_bomb, commit_bomb, crowded_pack

pytestmark = pytest.mark.cluster

_SECONDS = 280.0
_MEMORY = 1 << 30
_PACKS: dict[str, tuple[Callable[[], tuple[bytes, str]], str, str]] = {
    "4-gib-by-two-deltas": (lambda: chained_bomb(64, 64), "GIT_REFUSED", "more time, memory or room"),
    "hours-by-a-thousand-deltas": (
        lambda: chained_bomb(64, 8, copies=1000), "GIT_REFUSED", "unpacking it takes more time",
    ),
    "four-billion-objects": (crowded_pack, "GIT_REFUSED", "overflow"),
    "a-subject-of-512-mib": (lambda: commit_bomb(511), "TREE_REFUSED", "git log"),
}  # fmt: skip
"""(pack and commit, reason, an expression for the message)"""
_BROKEN = "a-bad-checksum"
_GREED = {
    "time": "no end within 60 s",
    "cpu": "signal 9|no end within 60 s",  # on a busy machine 10 s of computing take longer
    "memory": "out of memory",
    "files": "too many open files",
    "size": "file too large|file size limit",
    "output": "over 20971520 bytes",
    "killed": "signal 9",
}
_ESCAPE = "escape"
_HARMLESS = ("plain", "rendered", "sha256")


class _Delivery(Delivery):
    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


@dataclass(frozen=True, slots=True)
class Outcome:
    """After every row became a dead letter; `open` are the letters while the harmless went on."""

    letters: dict[str, dict[str, Any]]
    open: set[str]
    watched: Watched
    brought: dict[str, dict[str, str]]
    delivery: _Delivery
    elsewhere: Listener


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory(prefix="limits-") as folder, _running(Path(folder)) as outcome:
        yield outcome


@contextmanager
def _running(directory: Path) -> Iterator[Outcome]:
    for name in ("git", "team", "cluster", "applier"):
        (directory / name).mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(GitServer(directory / "git"))
        elsewhere = stack.enter_context(listener())
        cluster = stack.enter_context(ControlPlane(directory / "cluster"))
        team = Team(directory / "team", server)
        delivery = _Delivery(team, "test", cluster, directory / "applier")
        delivery.more |= {"GIT_POLL": "2", "KUBECTL": str(_build(directory / "kubectl"))}
        sha256 = FormatRepository(directory / "git" / "sha256.git")
        sources = _sources(stack, directory, server, elsewhere.port)
        write_policy(team, sources)
        commits = _commit(server, sha256, "1")
        stack.enter_context(delivery)
        watched = stack.enter_context(Watched(delivery.pid, directory / "applier" / "state"))
        _wait(delivery, commits)
        delivery.wait(lambda: watched.renders["time"] and watched.resident["git"] > 256 << 20)
        for version in "234":
            _wait(delivery, _commit(server, sha256, version))
        during = set(_letters(delivery))
        rows = {*sources} - {*_HARMLESS}
        delivery.wait(lambda: rows <= _letters(delivery).keys(), _SECONDS)
        _wait(delivery, _commit(server, sha256, "5"))
        letters = _letters(delivery)
        yield Outcome(letters, during, watched, _brought(cluster), delivery, elsewhere)


def _build(path: Path) -> Path:
    """The greedy stand-in for kubectl: its limits are what is tried, not what Kustomize makes of them."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"}
    argv = ["go", "build", "-o", str(path), "main.go"]
    subprocess.run(argv, cwd=ROOT / "tests" / "cluster" / "greedy", env=environment, check=True)
    return path


def _sources(stack: ExitStack, directory: Path, server: GitServer, port: int) -> dict[str, Source]:
    """Each bomb lies behind a server of its own, all the rest behind one."""
    found: dict[str, Source] = {
        name: (server.url(name), "main", "." if name == "sha256" else "app") for name in _HARMLESS
    }
    for name in (*_PACKS, _BROKEN):
        other = stack.enter_context(GitServer(directory / name))
        repository = other.create("deploy")
        repository.commit("main", {"app/a.yaml": config_map("escaped", a=CANARY).encode()})
        other.faults.flip = name == _BROKEN
        if name in _PACKS:
            other.faults.pack, commit = _PACKS[name][0]()
            repository.point("refs/heads/main", commit)
        found[name] = (other.url("deploy"), "main", "." if name in _PACKS else "app")
    greedy = server.create("greedy")
    for word in (*_GREED, _ESCAPE):
        text = f"resources: [a.yaml]\n# greed: {word} 127.0.0.1:{port}\n".encode()
        content = {"kustomization.yaml": text, "a.yaml": config_map("escaped", a=CANARY).encode()}
        greedy.commit(word, {f"app/{path}": each for path, each in content.items()})
        found[f"greed-{word}"] = (server.url("greedy"), word, "app")
    return found


def _commit(server: GitServer, sha256: FormatRepository, version: str) -> dict[str, str]:
    """A version of every harmless application; the commits."""
    plain, rendered, third = (config_map(name, at=version).encode() for name in _HARMLESS)
    kustomization = b"resources: [a.yaml]\n# greed: none\n"
    more = {"app/a.yaml": rendered, "app/kustomization.yaml": kustomization}
    return {
        "plain": server.create("plain").commit("main", {"app/a.yaml": plain}),
        "rendered": server.create("rendered").commit("main", more),
        "sha256": sha256.commit(third, "a.yaml"),
    }


def _wait(delivery: _Delivery, commits: dict[str, str]) -> None:
    """Until every one of those is applied."""

    def last(name: str) -> dict[str, Any]:
        said = (e for e in delivery.events() if e["event"] == "application")
        return ([e for e in said if e["name"] == f"{name}.test"] or [{}])[-1]

    delivery.wait(lambda: all(last(n).get("applied") == c for n, c in commits.items()), 60)


def _letters(delivery: _Delivery) -> dict[str, dict[str, Any]]:
    """Open dead letters by application, as `dlq ls` prints them."""
    done = delivery.run("dlq", "ls", "--output", "json")
    assert done.returncode in (0, 1), done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["application"].removesuffix(".test"): each for each in found}


def _brought(cluster: ControlPlane) -> dict[str, dict[str, str]]:
    listed = json.loads(cluster.kubectl("-n", "shop", "get", "configmaps", "-o", "json").stdout)
    found = {each["metadata"]["name"]: each["data"] for each in listed["items"]}
    return {name: data for name, data in found.items() if name != "kube-root-ca.crt"}


@pytest.mark.parametrize("name", [*_PACKS, _BROKEN])
def test_a_pack_that_takes_too_much_becomes_a_dead_letter(name: str, outcome: Outcome) -> None:
    """G11."""
    _, reason, says = _PACKS.get(name, (None, "GIT_REFUSED", "inflate|mismatch|corrupt"))
    letter = outcome.letters[name]

    assert letter["reason"] == reason, letter
    assert re.search(says, letter["message"]), letter


@pytest.mark.parametrize("word", _GREED)
def test_a_render_that_takes_too_much_becomes_a_dead_letter(word: str, outcome: Outcome) -> None:
    """G28: of 60 s, 10 s of computing, 512 MiB, 64 files, 20 MiB of output and in each file."""
    letter = outcome.letters[f"greed-{word}"]

    assert letter["reason"] == "RENDER_LIMIT", letter
    assert re.search(_GREED[word], letter["message"].lower()), letter


def test_a_child_that_was_killed_is_run_once_more_and_no_more(outcome: Outcome) -> None:
    """G28: four attempts, of which two rendered."""
    slow = {word: len(outcome.watched.renders[word]) for word in ("time", "cpu")}

    assert slow == {"time": 2, "cpu": 2}
    assert outcome.letters["greed-time"]["attempts"] == 4


def test_neighbours_were_served_while_all_of_it_went_on(outcome: Outcome) -> None:
    """Three versions of each, before the applier was through with the longest of both kinds."""
    assert not {"hours-by-a-thousand-deltas", "greed-time"} & outcome.open
    assert outcome.brought == {name: {"at": "5"} for name in _HARMLESS}
    assert outcome.delivery.is_running


def test_no_child_took_more_than_its_limit(outcome: Outcome) -> None:
    peaks = outcome.watched.resident

    assert 256 << 20 < peaks["git"] < _MEMORY
    assert 64 << 20 < peaks["kubectl"] < (512 + 64) << 20
    assert outcome.watched.disk < 64 << 20


def test_the_child_got_at_nothing(outcome: Outcome) -> None:
    """A file of the machine, the applier's environment, a port, a shell."""
    letter = outcome.letters[f"greed-{_ESCAPE}"]

    assert (letter["reason"], "everything is closed" in letter["message"]) == (
        "RENDER_FAILED",
        True,
    )
    assert outcome.elsewhere.connections == 0
    assert CANARY not in outcome.delivery.log_file.read_text()
