"""A gate beside a mirror: no registry for what is in it, and the registry for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stagepass.errors import InputError
from stagepass.packed_evidence import pack
from tests.simulators.registry import Registry
from tests.webhook.reviews import pod_spec, review, workload
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop, digest_of
from webhook.settings import Settings

FILE = "shop.staging.evidence"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def asked(image: str) -> dict[str, object]:
    return review(workload(pod_spec(image)))


def test_what_is_mirrored_takes_no_request_and_follows_the_file(
    registry: Registry, tmp_path: Path
) -> None:
    shop, mirror = Shop(tmp_path / "shop", registry.host), tmp_path / "mirror"
    mirror.mkdir()
    first, second, unknown = shop.image(), shop.image(), shop.image()
    bundles = [(digest_of(each), shop.bundle(each)) for each in (first, second)]
    (mirror / FILE).write_bytes(pack(bundles[:1], []))

    with Server(tmp_path / "gate", shop, evidence=f"mirror:{mirror},registry") as gate:
        assert gate.judge(asked(first))["allowed"]
        assert registry.requests == []
        assert not gate.judge(asked(second))["allowed"]
        assert not gate.judge(asked(unknown))["allowed"]
        assert registry.requests

        partial = mirror / ".partial"
        partial.write_bytes(pack(bundles, []))
        partial.replace(mirror / FILE)
        wait_until(lambda: gate.judge(asked(second))["allowed"])


def test_a_mirror_that_is_not_mounted_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such directory"):
        Settings.from_environ(
            {"STAGEPASS_CLUSTER": "test", "STAGEPASS_EVIDENCE": f"mirror:{tmp_path / 'gone'}"}
        )
