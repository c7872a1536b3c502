"""Token authentication: one request for a token, and a login that goes nowhere else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.push import push_bundle
from stagepass.registry.replies import Throttled
from stagepass.registry.settings import RegistrySettings
from tests.registry import REPOSITORY, digest_in, paths, reference
from tests.registry.conftest import Connect
from tests.registry.raw import Raw, response
from tests.registry.tokens import BASIC, LOGIN, WORD, ask, asking
from tests.simulators.registry import STAGE_PASSED, Registry, Request


def tokens(registry: Registry) -> list[Request]:
    return [request for request in registry.requests if request.path.startswith("/token")]


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.path).query)


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


class TestOneToken:
    def test_a_401_costs_one_token_and_the_next_request_none(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        asking(registry)
        ask(client, image)
        client.manifest(image, digest_in(image), Deadline.after(5))
        assert [request.path.partition("?")[0] for request in registry.requests] == [
            f"/v2/{REPOSITORY}/referrers/{image.digest}",
            "/token",
            f"/v2/{REPOSITORY}/referrers/{image.digest}",
            f"/v2/{REPOSITORY}/manifests/{image.digest}",
        ]
        sent = [request.headers.get("authorization") for request in registry.requests]
        assert sent == [None, BASIC, f"Bearer {WORD}.1", f"Bearer {WORD}.1"]

    def test_the_scope_is_ours_and_the_service_is_the_registrys(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        """A challenge cannot have us ask for more than we need: its own scope is not looked at."""
        asking(registry, f"{registry.url}/token?account=shop")
        ask(client, image)
        (request,) = tokens(registry)
        assert query(request) == {
            "account": ["shop"],
            "service": ["registry of shop"],
            "scope": [f"repository:{REPOSITORY}:pull"],
        }

    def test_a_push_has_a_token_of_its_own(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        asking(registry)
        now, until = datetime(2026, 11, 23, tzinfo=UTC), Deadline.after(5)
        push_bundle(client, image, digest_in(image), b"a bundle", STAGE_PASSED, now, until)
        assert [query(request)["scope"] for request in tokens(registry)] == [
            [f"repository:{REPOSITORY}:pull"],
            [f"repository:{REPOSITORY}:pull,push"],
        ]

    def test_each_repository_has_a_token_of_its_own(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        asking(registry)
        more = ImageRef.parse(f"{registry.host}/shop/more@{registry.push_image('shop/more')}")
        for each in (image, more, image, more):
            ask(client, each)
        assert len(tokens(registry)) == 2

    def test_many_threads_share_one_request(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        asking(registry)
        registry.faults.latency = 0.05
        with ThreadPoolExecutor(8) as callers:
            list(callers.map(lambda _: ask(client, image), range(8)))
        assert len(tokens(registry)) == 1

    def test_without_a_login_a_token_is_asked_for_without_one(
        self, registry: Registry, connect: Connect, image: ImageRef
    ) -> None:
        """As public repositories want it."""
        asking(registry)
        ask(connect(registry.host), image)
        assert [request.headers.get("authorization") for request in tokens(registry)] == [None]

    def test_an_identity_token_is_exchanged(
        self, registry: Registry, connect: Connect, image: ImageRef
    ) -> None:
        asking(registry)
        registry.faults.identity = "refresh me"
        registry.faults.basic = ("nobody", "else")
        logins = {registry.host: LOGIN}
        identities = {registry.host: "refresh me"}
        credentials = Credentials(logins=logins, identity_tokens=identities)
        ask(connect(registry.host, credentials=credentials), image)
        (request,) = tokens(registry)
        assert (request.method, request.headers.get("authorization")) == ("POST", None)


class TestHowLong:
    @pytest.mark.parametrize(("life", "requests"), [(300, 1), (None, 1), (1, 1), (0, 2)])
    def test_a_token_is_kept_while_it_lives(
        self,
        life: int | None,
        requests: int,
        registry: Registry,
        client: RegistryClient,
        image: ImageRef,
    ) -> None:
        asking(registry)
        registry.faults.expires_in = life
        for _ in range(2):
            ask(client, image)
        assert len(tokens(registry)) == requests

    def test_a_token_that_died_early_is_replaced_once(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        asking(registry)
        ask(client, image)
        registry.faults.token = "new"
        ask(client, image)
        kinds = [request.path.partition("?")[0].split("/")[1] for request in registry.requests]
        assert kinds == ["v2", "token", "v2", "v2", "token", "v2"]

    def test_after_a_token_a_401_is_an_answer(self, connect: Connect) -> None:
        with Raw(response(b'{"token":"x"}')) as raw:
            challenge = f'WWW-Authenticate: Bearer realm="http://{raw.host}/token"'
            with Raw(response(b"", challenge, status="401 No")) as closed:
                settings = RegistrySettings(plain_http=frozenset({raw.host}))
                for credentials, message in (
                    (Credentials(logins={closed.host: LOGIN}), "no login of ours is accepted"),
                    (Credentials("here"), "and here has no auths entry for it"),
                ):
                    asker = connect(closed.host, settings=settings, credentials=credentials)
                    with pytest.raises(Unavailable, match=message) as refused:
                        ask(asker, reference(closed.host, Digest.of(b"")))
                    assert refused.value.code == Code.REGISTRY_UNAVAILABLE
                assert (len(closed.requests), len(raw.requests)) == (4, 2)


class TestAnswers:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"{}",
            b'{"token":7}',
            b'{"token":""}',
            b'{"token":"a\\r\\nHost: evil"}',
            b'{"token":"a b"}',
            b'{"token":"a","token":"b"}',
        ],
    )
    def test_no_token_is_an_answer_and_is_not_quoted(
        self, body: bytes, registry: Registry, connect: Connect, image: ImageRef
    ) -> None:
        with Raw(response(body)) as raw:
            asking(registry, f"http://{raw.host}/token")
            settings = RegistrySettings.parse(f"http://{raw.host}")
            with pytest.raises(Unavailable, match=f"^{raw.host} sent no token") as refused:
                ask(connect(registry.host, settings=settings), image)
        assert "evil" not in refused.value.message

    @pytest.mark.parametrize("life", ["null", "-1", "true", '"60"', "[]"])
    def test_a_strange_life_is_the_specifications_default(
        self, life: str, registry: Registry, connect: Connect, image: ImageRef
    ) -> None:
        registry._api.tokens.issue(WORD, f"scope=repository:{REPOSITORY}:pull")
        body = f'{{"access_token":"{WORD}.1","expires_in":{life}}}'
        with Raw(response(body.encode())) as raw:
            asking(registry, f"http://{raw.host}/token")
            client = connect(registry.host, settings=RegistrySettings.parse(f"http://{raw.host}"))
            for _ in range(2):
                ask(client, image)
            assert len(raw.requests) == 1

    @pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (403, Unavailable)])
    def test_a_refused_token_is_unavailable(
        self,
        status: int,
        kind: type[Exception],
        registry: Registry,
        client: RegistryClient,
        image: ImageRef,
    ) -> None:
        asking(registry)
        registry.faults.path_status = {"/token": status}
        with pytest.raises(kind, match=f"answered {status} for a token of"):
            ask(client, image)

    def test_a_token_is_awaited_no_longer_than_the_deadline(
        self, registry: Registry, connect: Connect, image: ImageRef, other: Registry
    ) -> None:
        """Neither by the thread that asks for it nor by those that wait for that one."""
        other.faults.hang = True
        asking(registry, f"{other.url}/token")
        client = connect(registry.host, settings=RegistrySettings.parse(f"http://{other.host}"))

        def late(seconds: float) -> Any:
            with pytest.raises(Unavailable) as error:
                ask(client, image, seconds)
            return error.value.code

        started = time.monotonic()
        with ThreadPoolExecutor(4) as callers:
            assert set(callers.map(late, [0.5] * 4)) == {Code.DEADLINE}
        assert time.monotonic() - started < 1.2

    def test_what_is_secret_is_in_no_message(
        self, registry: Registry, client: RegistryClient, image: ImageRef
    ) -> None:
        asking(registry)
        registry.faults.basic = ("ci", "changed")
        with pytest.raises(Unavailable, match="no login of ours is accepted") as refused:
            ask(client, image)
        assert "cret" not in json.dumps([refused.value.message, paths(registry)])

    def test_both_schemes_are_answered_with_a_login_where_there_is_one(
        self, connect: Connect
    ) -> None:
        asks = 'WWW-Authenticate: Basic realm="x", Bearer realm="https://other.test/"'
        with Raw(response(b"", asks, status="401 No")) as raw:
            image = reference(raw.host, Digest.of(b""))
            with pytest.raises(Unavailable, match="no login of ours"):
                ask(connect(raw.host, credentials=Credentials(logins={raw.host: LOGIN})), image)
            with pytest.raises(Unavailable, match="wants a token from"):
                ask(connect(raw.host), image)
            assert BASIC.encode() in raw.requests[1]
