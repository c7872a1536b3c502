"""Where a login goes, and a token: to one host, and to no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stagepass.decision import Code
from stagepass.digest import ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from tests.registry import REPOSITORY, digest_in, reference
from tests.registry.conftest import Connect
from tests.registry.tokens import BASIC, LOGIN, WORD, ask, asking
from tests.simulators.registry import Registry


@pytest.fixture
def login(registry: Registry) -> Credentials:
    return Credentials("here", {registry.host: LOGIN})


@pytest.fixture
def client(registry: Registry, connect: Connect, login: Credentials) -> RegistryClient:
    registry.faults.basic = LOGIN
    return connect(registry.host, credentials=login)


@pytest.fixture
def other() -> Iterator[Registry]:
    """A second host, which hands out tokens as well."""
    with Registry() as running:
        running.faults.token = WORD
        yield running


@pytest.mark.parametrize(
    "realm",
    [
        "http://169.254.169.254/token",
        "https://other.test/token",
        "http://user@HOST/token",
        "http://HOST.evil.test/token",
        "http://HOST:1/token",
        "https://HOST@other.test/token",
        "file:///token",
        "//HOST/token",
        "token",
        "http://[",
        "",
    ],
)
def test_no_realm_but_the_registrys_own_is_asked(
    realm: str, registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    asking(registry, realm.replace("HOST", registry.host) or " ")
    with pytest.raises(Unavailable, match=f"^{registry.host} wants a token from") as refused:
        ask(client, image)
    assert refused.value.code == Code.REGISTRY_UNAVAILABLE
    assert len(refused.value.message) < 500
    assert len(registry.requests) == 1


def test_a_realm_that_settings_name_is_asked(
    registry: Registry,
    connect: Connect,
    login: Credentials,
    image: ImageRef,
    other: Registry,
) -> None:
    asking(registry, f"{other.url}/token")
    client = connect(registry.host, credentials=login)
    with pytest.raises(Unavailable, match=rf"token from {other.url}, which is not asked"):
        ask(client, image)
    assert other.requests == []
    settings = RegistrySettings.parse(f"http://{other.host}")
    registry._api.tokens = other._api.tokens
    ask(connect(registry.host, credentials=login, settings=settings), image)
    assert [request.headers.get("authorization") for request in other.requests] == [BASIC]


def test_a_login_never_goes_from_tls_to_plain_http() -> None:
    """Not even where settings name the host, since they may do so for another reason."""
    settings = RegistrySettings.parse("http://auth.test,https://login.test")
    secure, plain = ("https", "reg.test"), ("http", "reg.test")
    assert settings.may_ask_for_token("https", "reg.test", secure)
    assert settings.may_ask_for_token("https", "login.test", secure)
    assert settings.may_ask_for_token("http", "auth.test", plain)
    assert not settings.may_ask_for_token("http", "auth.test", secure)
    assert not settings.may_ask_for_token("http", "reg.test", secure)
    assert not settings.may_ask_for_token("https", "auth.test", secure)
    assert not settings.may_ask_for_token("ftp", "reg.test", ("ftp", "reg.test"))


def test_a_token_goes_to_no_other_host(
    registry: Registry, connect: Connect, login: Credentials, other: Registry
) -> None:
    """V63, V64: neither to the object store of a blob nor to another registry."""
    asking(registry)
    blob = reference(registry.host, registry.put_blob(REPOSITORY, b"a blob"))
    other.put_blob(REPOSITORY, b"a blob")
    settings = RegistrySettings(plain_http=frozenset({other.host}))
    client = connect(registry.host, other.host, settings=settings, credentials=login)
    ask(client, reference(registry.host, digest_in(blob)))
    registry.faults.redirect = other.url
    assert client.blob(blob, digest_in(blob), Deadline.after(5)) == b"a blob"
    ask(client, reference(other.host, digest_in(blob)))
    assert [request.headers.get("authorization") for request in other.requests] == [None, None]


def test_the_login_of_another_host_is_not_used(
    registry: Registry, connect: Connect, image: ImageRef
) -> None:
    asking(registry)
    registry.faults.basic = LOGIN
    credentials = Credentials("here", {"127.0.0.1": LOGIN, "reg.test": LOGIN})
    with pytest.raises(Unavailable, match=r"no token of .*, and here has no auths entry"):
        ask(connect(registry.host, credentials=credentials), image)
    assert [request.headers.get("authorization") for request in registry.requests] == [
        None,
        None,
    ]


def test_a_realm_is_not_followed_elsewhere(
    registry: Registry, client: RegistryClient, image: ImageRef
) -> None:
    asking(registry)
    registry.faults.path_status = {"/token": 307}
    with pytest.raises(Unavailable, match="answered 307 for a token of repository:shop/app"):
        ask(client, image)
    assert len(registry.requests) == 2
