from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from stagepass.digest import ImageRef
from stagepass.errors import InputError, Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from tests.registry import REPOSITORY, digest_in, reference
from tests.registry.conftest import Connect
from tests.registry.raw import Raw, response
from tests.simulators.registry import Registry

LOGIN = ("ci", "s3:cret")


def _config(auths: object, **others: object) -> bytes:
    return json.dumps({"auths": auths, **others}).encode()


def _auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def _sent(registry: Registry) -> list[str | None]:
    return [request.headers.get("authorization") for request in registry.requests]


def _referrers(client: RegistryClient, image: ImageRef) -> None:
    client.referrers(image, digest_in(image), Deadline.after(5))


def test_logins_are_read_from_a_docker_config_by_exact_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auths = {
        "reg.test:5000": _auth("ci:s3:cret"),
        "plain.test": {"username": "u", "password": "p"},
        "https://index.test/v1/": _auth("hub:x"),
        "https://both.test/v1/": _auth("url:x"),
        "both.test": _auth("host:x"),
        "deep.test/team": _auth("team:x"),
        "helped.test": {},
        "cloud.test": {**_auth("0000:"), "identitytoken": "refresh-cret"},
        "https://cloud.test/v1/": {"identitytoken": "another"},
    }
    (tmp_path / "config.json").write_bytes(_config(auths))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for read in (Credentials.read(tmp_path), Credentials.read(None)):
        assert read.for_host("reg.test:5000") == LOGIN
        assert read.for_host("plain.test") == ("u", "p")
        assert read.for_host("index.test") == ("hub", "x")
        assert read.for_host("both.test") == ("host", "x")
        for host in ("reg.test", "reg.test:5001", "deep.test", "helped.test", "test"):
            assert read.for_host(host) is None
            assert read.identity_for(host) is None
        assert read.for_host("cloud.test") == ("0000", "")
        assert read.identity_for("cloud.test") == "refresh-cret"
        assert "cret" not in repr(read)


def test_no_config_is_no_login(tmp_path: Path) -> None:
    assert Credentials.read(tmp_path).logins == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not JSON"),
        (b"[]", "a JSON object is wanted"),
        (_config([1]), "auths is a list"),
        (_config({"reg.test": "x"}), "auths.reg.test: not an object"),
        (_config({"reg.test": {"auth": "c2VjcmV0"}}), "auths.reg.test: auth is not the base64"),
        (_config({"reg.test": {"auth": "secret!"}}), "auths.reg.test: auth is not the base64"),
        (_config({"reg.test": {"username": "secret"}}), "auths.reg.test: username and password"),
        (_config({"reg.test": {"identitytoken": 7}}), "auths.reg.test: identitytoken is not text"),
    ],
)
def test_a_malformed_config_is_refused_without_quoting_it(
    tmp_path: Path, data: bytes, message: str
) -> None:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(InputError) as refused:
        Credentials.read(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/config.json")
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_login_is_sent_when_the_host_asks_and_from_then_on(
    registry: Registry, connect: Connect, image: ImageRef
) -> None:
    registry.faults.basic = LOGIN
    client = connect(registry.host, credentials=Credentials(logins={registry.host: LOGIN}))
    _referrers(client, image)
    _referrers(client, image)
    value = "Basic " + base64.b64encode(b"ci:s3:cret").decode()
    assert _sent(registry) == [None, value, value]


def test_a_login_is_not_sent_unasked(registry: Registry, connect: Connect, image: ImageRef) -> None:
    client = connect(registry.host, credentials=Credentials(logins={registry.host: LOGIN}))
    _referrers(client, image)
    assert _sent(registry) == [None]


def test_no_other_host_gets_a_login(registry: Registry, connect: Connect, image: ImageRef) -> None:
    """CVE-2025-27403: neither a host without a login of its own, nor a mirror of one with it."""
    registry.faults.basic = LOGIN
    settings = RegistrySettings(mirrors={"reg.test": registry.url})
    credentials = Credentials("here", {"reg.test": LOGIN, "127.0.0.1": LOGIN})
    client = connect("reg.test", registry.host, settings=settings, credentials=credentials)
    for asked in (image, reference("reg.test", digest_in(image))):
        with pytest.raises(Unavailable, match="asks for a login, and here has no auths entry"):
            _referrers(client, asked)
    assert _sent(registry) == [None, None]


def test_a_redirect_to_another_host_loses_the_login(registry: Registry, connect: Connect) -> None:
    blob = registry.put_blob(REPOSITORY, b"a blob")
    image = reference(registry.host, blob)
    registry.faults.basic = LOGIN
    with Registry() as store:
        store.put_blob(REPOSITORY, b"a blob")
        registry.faults.redirect = store.url
        logins = {registry.host: LOGIN, store.host: LOGIN}
        settings = RegistrySettings(plain_http=frozenset({store.host}))
        client = connect(registry.host, settings=settings, credentials=Credentials(logins=logins))
        assert client.blob(image, digest_in(image), Deadline.after(5)) == b"a blob"
        assert _sent(store) == [None]
        store.faults.basic = LOGIN
        with pytest.raises(Unavailable, match=f"{store.host} answered 401"):
            client.blob(image, digest_in(image), Deadline.after(5))
        assert _sent(store) == [None, None]


def test_a_login_that_is_not_accepted_is_an_answer(
    registry: Registry, connect: Connect, image: ImageRef
) -> None:
    registry.faults.basic = LOGIN
    wrong = Credentials(logins={registry.host: ("ci", "old")})
    client = connect(registry.host, credentials=wrong)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"answered 401: no login of ours is accepted"):
            _referrers(client, image)


def test_a_credential_helper_is_named_where_it_would_have_been_needed(
    registry: Registry, connect: Connect, image: ImageRef
) -> None:
    registry.faults.basic = LOGIN
    for config in (
        _config({}, credHelpers={registry.host: "x"}),
        _config({}, credsStore="desktop"),
    ):
        client = connect(registry.host, credentials=Credentials.parse(config, "config.json"))
        with pytest.raises(Unavailable, match=r"config.json has no .* names a credential helper"):
            _referrers(client, image)


@pytest.mark.parametrize("challenge", ["Negotiate", 'Digest realm="a, Basic-ish"', ""])
def test_a_challenge_we_do_not_know_is_an_answer(connect: Connect, challenge: str) -> None:
    headers = [f"WWW-Authenticate: {challenge}"] if challenge else []
    with Raw(response(b"", *headers, status="401 No")) as raw:
        client = connect(raw.host, credentials=Credentials(logins={raw.host: LOGIN}))
        with pytest.raises(Unavailable, match="no authentication that we know"):
            _referrers(client, reference(raw.host, f"sha256:{'0' * 64}"))
        assert len(raw.requests) == 1
