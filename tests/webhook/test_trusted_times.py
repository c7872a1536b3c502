"""A running gate: what a signer is proven to have signed before it was stolen stays, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stagepass.cli.main import run
from stagepass.clock import format_time
from stagepass.evidence import DirectorySource
from tests.keyless.keyed import proven, trust_files
from tests.policy.signed import KEY_FILES
from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop, digest_of
from tests.world import signer

_SECONDS = 10.0
STOLEN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
BY = "test-cluster"


@pytest.fixture
def server(tmp_path: Path, shop: Shop) -> Iterator[Server]:
    """The gate of a shop with a trust root and an empty list, which `ci` may sign."""
    (tmp_path / "ci.key").write_bytes(signer("ci").private_pem)
    (tmp_path / "stolen.pub").write_bytes(signer(BY).public_pem)
    document = {
        "apiVersion": "stagepass.dev/v1",
        "kind": "Revocations",
        "file": "revoked.json",
        "from": ["ci"],
    }
    more = {**KEY_FILES, **trust_files(), "list.yaml": json.dumps(document)}
    for name, text in more.items():
        (shop.policy / name).parent.mkdir(exist_ok=True)
        (shop.policy / name).write_text(text)
    assert revoke(tmp_path, shop) == 0
    with Server(tmp_path, shop) as running:
        yield running


def revoke(directory: Path, shop: Shop, *arguments: str) -> int:
    """`stagepass revoke`, as `ci`."""
    return run(
        [
            "revoke",
            str(shop.policy / "revoked.json"),
            "--key",
            str(directory / "ci.key"),
            *arguments,
        ]
    )


def passed(shop: Shop, at: datetime) -> str:
    """A new image whose pass has a stamp of `at`."""
    image = shop.image()
    digest = digest_of(image)
    DirectorySource(shop.evidence).write(digest, proven(shop.bundle(image), BY, at))
    return image


def test_a_stolen_key_since(tmp_path: Path, server: Server) -> None:
    """All ran; then the list comes, and what has no proof, or a later one, does not start again."""
    shop = server.shop
    early, late = passed(shop, STOLEN - timedelta(seconds=1)), passed(shop, STOLEN)
    bare = shop.passed()
    assert [_allowed(server, image) for image in (early, late, bare)] == [True] * 3
    stolen = ["--public-key", str(tmp_path / "stolen.pub"), "--reason", "stolen"]

    assert revoke(tmp_path, shop, *stolen, "--compromised-since", format_time(STOLEN)) == 0
    wait_until(lambda: not _allowed(server, bare), _SECONDS)
    assert [_allowed(server, image) for image in (early, late, bare)] == [True, False, False]

    assert revoke(tmp_path, shop, *stolen) == 0
    wait_until(lambda: not _allowed(server, early), _SECONDS)


def _allowed(server: Server, image: str) -> bool:
    allowed: bool = server.judge(create(image))["allowed"]
    return allowed
