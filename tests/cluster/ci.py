"""The CI of a team: checks out a commit, and signs what each stage runs of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster import released
from tests.cluster.delivery import Team


def release(team: Team, commit: str) -> dict[str, str]:
    """A release of the commit for every stage, signed and stored; their digests by stage."""
    tree = _checked_out(team, commit)
    return {
        stage: released.release(team, _rendered(tree / stage), commit, stage)["release"]
        for stage in team.stages
    }


def _rendered(directory: Path) -> str:
    """Plain YAML renders to itself."""
    return "---\n".join(file.read_text() for file in sorted(directory.glob("*.yaml")))


def _checked_out(team: Team, commit: str) -> Path:
    tree = team.directory / f"ci-{commit[:10]}"
    git = ["git", "-c", "advice.detachedHead=false"]
    for command in (
        [*git, "clone", "--quiet", "--no-checkout", team.server.url("deploy"), str(tree)],
        [*git, "-C", str(tree), "checkout", "--quiet", commit],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return tree
