from __future__ import annotations

import pytest

from stagepass.errors import InputError
from stagepass.registry.settings import RegistrySettings, is_loopback


def test_entries_name_plain_hosts_mirrors_and_object_stores() -> None:
    settings = RegistrySettings.parse(
        "http://reg.test:5000, reg.example=https://mirror.test, old.example=http://10.0.0.7:5000,"
        "https://store.test,"
    )
    assert settings.base_url("reg.test:5000") == "http://reg.test:5000"
    assert settings.base_url("reg.test") == "https://reg.test"
    assert settings.base_url("reg.example") == "https://mirror.test"
    assert settings.base_url("old.example") == "http://10.0.0.7:5000"
    assert settings.may_redirect_to("https", "store.test")
    assert settings.may_redirect_to("http", "10.0.0.7:5000")
    assert not settings.may_redirect_to("http", "store.test")
    assert not settings.may_redirect_to("https", "other.test")
    assert RegistrySettings.parse("") == RegistrySettings()


def test_loopback_speaks_plain_http_but_nobody_may_send_us_there() -> None:
    for host in ("127.0.0.1", "127.0.0.1:5000", "localhost:5000", "[::1]", "[::1]:5000"):
        assert RegistrySettings().base_url(host) == f"http://{host}"
        assert not RegistrySettings().may_redirect_to("http", host)
    for host in ("127.0.0.2:5000", "localhost.example", "[::2]:5000", "127.0.0.1.example:80"):
        assert not is_loopback(host)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reg.test", "does not start with http"),
        ("ftp://reg.test", "does not start with http"),
        ("http://reg.test/v2", "'reg.test/v2' is not a registry host"),
        ("http://user:pw@reg.test", "is not a registry host"),
        ("http://", "'' is not a registry host"),
        ("reg.test=mirror.test", "'mirror.test' does not start with http"),
        ("=https://mirror.test", "'' is not a registry host"),
        ("r.test=https://a.test,r.test=https://b.test", "r.test has two mirrors"),
    ],
)
def test_anything_else_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        RegistrySettings.parse(text)
    assert message in str(refused.value)
    assert refused.value.where == "STAGEPASS_REGISTRIES"
