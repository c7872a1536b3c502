from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.identities import CI_VARIABLES, Keyless, keyless_shop
from tests.cli.shop import Result, Shop
from tests.world import write_keys, write_policy

__all__ = ["Result", "Shop", "ci", "shop"]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    """The shop, with nothing signed yet."""
    write_policy(tmp_path / "policy")
    write_keys(tmp_path / "private")
    return Shop(tmp_path, capsys)


@pytest.fixture
def ci(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyless]:
    """The shop with a CI that has an identity and no key; whatever CI runs these tests is not it."""
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with keyless_shop(shop) as made:
        yield made
