from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.base import DEPLOY, ROOT, one


def test_the_image_is_a_digest_that_kustomize_replaces(container: dict[str, Any]) -> None:
    (image,) = one("Kustomization")["images"]

    assert container["image"] == f"{image['name']}@{image['digest']}"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image["digest"])


def dockerfile() -> list[list[str]]:
    """The instructions, each as its words; comments left out, continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_runs_as_a_number_and_starts_the_webhook() -> None:
    lines = dockerfile()

    assert ["USER", "65532:65532"] in lines
    assert lines[-1] == ["ENTRYPOINT", '["python",', '"-m",', '"webhook"]']
    assert lines[0] == ["ARG", "BASE=python:3.11-slim"]
    assert [line[1] for line in lines if line[0] == "FROM"] == ["${BASE}", "${BASE}"]


def test_the_image_installs_only_what_is_locked() -> None:
    installs = [" ".join(line) for line in dockerfile() if "install" in line]

    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-index" in installs[1]
    assert (ROOT / "requirements" / "run.txt").is_file()


def test_the_builder_sees_only_what_is_copied() -> None:
    """A key that lies in the clone must not end in a layer."""
    allowed = [
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        line[1].rstrip("/")
        for line in dockerfile()
        if line[0] == "COPY" and not line[1].startswith("--")
    ]

    assert sorted(allowed) == sorted(copied)


@pytest.mark.parametrize("name", ["Dockerfile", "applier.Dockerfile"])
def test_the_user_of_an_image_has_an_entry(name: str) -> None:
    """ssh and ssh-keygen end without one, and so does whoever asks for a home under crun."""
    assert "'stagepass:x:65532:65532::/nonexistent:/usr/sbin/nologin' >> /etc/passwd" in (
        (DEPLOY / name).read_text()
    )
