"""One registry source for as long as the policy names the same hosts."""

from __future__ import annotations

from pathlib import Path

from tests.webhook.server import environment, issue
from tests.webhook.shop import Shop
from webhook.registries import Registries
from webhook.settings import Settings

_HOSTS = frozenset({"a.example.com", "b.example.com"})


def _registries(directory: Path) -> Registries:
    shop, tls = Shop(directory / "shop"), directory / "tls"
    issue(tls)
    return Registries(
        Settings.from_environ(
            environment(directory, CLUSTER="staging", POLICY=str(shop.policy), TLS_DIR=str(tls))
        )
    )


def test_a_set_with_the_same_hosts_keeps_connections_and_breaker(tmp_path: Path) -> None:
    registries = _registries(tmp_path)
    first = registries.source(_HOSTS)

    assert registries.source(frozenset(_HOSTS)) is first


def test_a_set_with_other_hosts_is_asked_through_a_source_of_its_own(tmp_path: Path) -> None:
    """The hosts are a limit: a source that was made for more would ask what the policy took away."""
    registries = _registries(tmp_path)
    first = registries.source(_HOSTS)
    second = registries.source(frozenset({"a.example.com"}))

    assert second is not first
    assert registries.source(_HOSTS) is not first
