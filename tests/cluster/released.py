"""A team whose stages require manifests, and CI that releases what a commit renders to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stagepass.bundle import Bundle
from stagepass.statement import Statement
from tests.cluster.delivery import Team, config_map, deployment

KINDS = ("stage-entered", "stage-passed")


def require(stages: list[dict[str, Any]], **release: Any) -> None:
    """Every stage takes what CI released and nothing else."""
    for stage in stages:
        # One key signs provenance and releases here, which lint tells of.
        stage.update(manifests="required", release={"from": ["ci"], **release})


def objects(image: str, **data: str) -> str:
    """A Deployment and its settings, as YAML."""
    return deployment(image) + config_map("settings", **data)


def commit(team: Team, text: str) -> str:
    """The same objects for every stage; the commit."""
    return team.commit({f"{stage}/web.yaml": text for stage in team.stages})


def release(team: Team, text: str, commit: str, stage: str = "test", *more: str) -> dict[str, str]:
    """CI releases what was rendered; its `release.json` members by name: digest, imageSet."""
    directory = Path(team.directory) / f"release-{stage}-{commit[:8]}"
    directory.mkdir()
    (directory / "all.yaml").write_text(text)
    built = json.loads(
        team.stagepass(
            *("release", "build", str(directory / "all.yaml"), "--pipeline", "shop"),
            *("--stage", stage, "--path", stage, "--output-dir", str(directory / "built")),
            *("--source", f"{team.server.url('deploy')}@{commit}", "--output", "json", *more),
        )
    )
    team.stagepass(
        *("release", "attest", str(directory / "built"), "--key", str(team.directory / "ci.key")),
        *("--repository", f"{team.host}/shop/releases", "--evidence", team.sources),
    )
    return dict(built)


def said(team: Team, image: str) -> list[tuple[str, dict[str, Any]]]:
    """(receipt or pass, its member `release`) of what clusters signed about the image, sorted."""
    folder = team.evidence / f"sha256-{image.rpartition(':')[2]}"
    found = []
    for file in folder.glob("*.sigstore.json"):
        statement = Statement.parse(Bundle.parse(file.read_bytes()).envelope.payload)
        kind = statement.predicate_type.split("/")[-2]
        if kind in KINDS:
            found.append((kind, statement.predicate.get("release", {})))
    return sorted(found, key=json.dumps)
