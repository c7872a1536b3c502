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


@pytest.mark.parametrize("name", ["Dockerfile", "applier.Dockerfile"])
def test_an_image_has_what_its_program_and_an_identity_need(name: str) -> None:
    """Whatever `run.txt` or `applier.txt` pins, and sigstore, each in the same version."""
    text = (DEPLOY / name).read_text()
    given = re.findall(r"--requirement (\S+)", text)
    copied = re.findall(r"requirements/(\S+)", text)
    pins = [_pins(each) for each in given]
    together = {name: version for each in pins for name, version in each.items()}
    needed = _pins("run.txt") | (_pins("applier.txt") if name.startswith("applier") else {})

    assert given == copied
    assert {"sigstore", "rfc3161-client"} <= together.keys()
    assert {name: together.get(name) for name in needed} == needed
    assert all(together[name] == version for each in pins for name, version in each.items())


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def test_the_builder_sees_only_what_is_copied() -> None:
    """A key that lies in the clone must not end in a layer."""
    allowed = [
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    copied = [
        name.rstrip("/")
        for line in dockerfile()
        if line[0] == "COPY" and not line[1].startswith("--")
        for name in line[1:-1]
    ]

    assert sorted(allowed) == sorted(copied)


@pytest.mark.parametrize("name", ["Dockerfile", "applier.Dockerfile"])
def test_the_user_of_an_image_has_an_entry(name: str) -> None:
    """ssh and ssh-keygen end without one, and so does whoever asks for a home under crun."""
    assert "'stagepass:x:65532:65532::/nonexistent:/usr/sbin/nologin' >> /etc/passwd" in (
        (DEPLOY / name).read_text()
    )
