"""The real docker-registry 2.8.2, and real `stagepass` processes that write to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagepass import strictjson
from stagepass.bundle import Bundle
from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import MANIFEST_TYPE
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.source import RegistrySource
from stagepass.registry.uploads import push_blob, push_manifest
from tests.registry import REPOSITORY, digest_in
from tests.registry.debian import DockerRegistry
from tests.registry.shop import search
from tests.world import signer

WRITERS = 8
STAGEPASS = Path(sys.executable).with_name("stagepass")
TYPE = "https://example.com/test"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with DockerRegistry(tmp_path_factory.mktemp("docker-registry")) as running:
        yield running.host


@pytest.fixture
def client(host: str) -> Iterator[RegistryClient]:
    with RegistryClient(RegistrySettings(), Credentials(), frozenset({host})) as made:
        yield made


@pytest.fixture
def image(host: str, client: RegistryClient, tmp_path: Path) -> ImageRef:
    """A new image."""
    name, until = ImageRef.parse(f"{host}/{REPOSITORY}"), Deadline.after(10)
    config = strictjson.dumps({"unique": str(tmp_path)})
    push_blob(client.session, name, config, until)
    kind = "application/vnd.oci.image.config.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": kind, "size": len(config), "digest": str(Digest.of(config))},
        "layers": [],
    }
    body = strictjson.dumps(manifest)
    digest = push_manifest(client.session, name, body, MANIFEST_TYPE, until)
    return ImageRef.parse(f"{name}@{digest}")


@pytest.fixture
def attest(image: ImageRef, tmp_path: Path) -> Any:
    """Starts `stagepass attest` with a predicate that holds this number."""
    key = tmp_path / "ci.key"
    key.write_bytes(signer("ci").private_pem)

    def start(number: int) -> subprocess.Popen[str]:
        predicate = tmp_path / f"{number}.json"
        predicate.write_text(json.dumps({"number": number}))
        command = ("--key", str(key), "--type", TYPE, "--predicate", str(predicate))
        return subprocess.Popen(
            [STAGEPASS, "attest", str(image), *command],
            env={"PATH": os.defpath, "HOME": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def numbers(client: RegistryClient, image: ImageRef) -> list[int]:
    """What the predicates hold that are found beside the image."""
    with RegistrySource(client) as source:
        batches, error = search(source, image, seconds=10)
    assert error is None
    payloads = [Bundle.parse(data).envelope.payload for batch in batches for data in batch]
    return sorted(json.loads(payload)["predicate"]["number"] for payload in payloads)


def test_it_has_no_referrers_api(client: RegistryClient, image: ImageRef) -> None:
    assert client.referrers(image, digest_in(image), Deadline.after(5)) is None


def test_eight_processes_at_the_same_time_lose_nothing(
    client: RegistryClient, image: ImageRef, attest: Any
) -> None:
    """8 parallel `cosign attest` left 2 to 4 of 8 here (cosign-proof section 1.7)."""
    running = [attest(number) for number in range(WRITERS)]
    said = [process.communicate(timeout=90)[0] for process in running]
    assert [process.returncode for process in running] == [0] * WRITERS, said
    assert all(f"stored in {image.name}@sha256:" in text for text in said)
    assert numbers(client, image) == list(range(WRITERS))
