"""The blocks on heartbeats in docs/operate-applier.md, run as a CI job would, and taken by the applier."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from applier.failure import Failure
from applier.git import GitCredentials
from applier.heartbeat import Heartbeats
from applier.repositories import Repositories
from stagepass.policy.load import load
from stagepass.policy.source import Source
from stagepass.policy.store import revision_of
from tests.docs.walk import sections
from tests.policy_tools.full import files_of, full_documents
from tests.repository.sources import ROOT
from tests.simulators.git import GitServer

_PAGE = ROOT / "docs" / "operate-applier.md"
_BEAT = "refs/heads/heartbeat"


def _run(script: str, directory: Path, **more: str) -> None:
    env = {
        "PATH": os.defpath,
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **more,
    }
    done = subprocess.run(["sh", "-c", script], cwd=directory, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def _source(shown: str, directory: Path, url: str) -> Source:
    """As the policy of the page gives it, with the keys that its commands made."""
    heartbeat = yaml.safe_load(shown)["source"]["heartbeat"]
    files = files_of(full_documents({"pipeline.stages.2.source.heartbeat": heartbeat}))
    signers = directory / "policy" / "keys" / "heartbeat_signers"
    files["keys/heartbeat_signers"] = signers.read_bytes()
    found = load(files, revision_of(files)).pipelines[0].stage("production").source
    assert found is not None
    return replace(found, git=url)


def test_what_the_page_has_ci_write_is_a_heartbeat(tmp_path: Path) -> None:
    """From a shallow clone, twice; and the first no longer counts once the server hides a commit."""
    shown = {
        b.mark.removeprefix("heartbeat: "): b.text
        for b in sections(_PAGE.read_text())["Heartbeats"]
    }
    (tmp_path / "policy" / "keys").mkdir(parents=True)
    _run(shown["key"], tmp_path)
    with GitServer(tmp_path / "served") as server:
        repository = server.create("deploy")
        config = ["git", "-C", str(repository.path), "config", "http.receivepack", "true"]
        subprocess.run(config, check=True)
        old = repository.commit("main", {"apps/production/a.yaml": b"# 1"})
        source = _source(shown["policy"], tmp_path, server.url("deploy"))
        _run(f"git clone --quiet --depth=1 --branch=main {source.git} clone", tmp_path)
        repositories = Repositories(
            tmp_path / "mirrors", lambda _: GitCredentials(), {}, lambda _: None
        )
        heartbeats = Heartbeats(repositories)
        seen = set()
        for content in (b"# 2", b"# 3"):
            repository.commit("main", {"apps/production/a.yaml": content})
            _run(shown["job"], tmp_path / "clone", HEARTBEAT_KEY=str(tmp_path / "heartbeat"))
            repositories.fetch(source.git, frozenset({source.ref}), frozenset({_BEAT}))

            heartbeats.check(source, datetime.now(UTC))
            seen.add(repositories.beat(source.git, _BEAT))

        assert len(seen) == 2
        server.faults.frozen = {source.ref: old}
        other = Repositories(tmp_path / "others", lambda _: GitCredentials(), {}, lambda _: None)
        other.fetch(source.git, frozenset({source.ref}), frozenset({_BEAT}))
        with pytest.raises(Failure, match="HEARTBEAT_MISSING"):
            Heartbeats(other).check(source, datetime.now(UTC))


def test_every_block_of_the_section_is_run() -> None:
    found = sections(_PAGE.read_text())["Heartbeats"]
    assert [b.mark for b in found] == [f"heartbeat: {n}" for n in ("key", "policy", "job")]
