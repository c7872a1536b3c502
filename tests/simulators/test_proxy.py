from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3

from tests.simulators.proxy import ANSWER_LOST, LOST, PASS, Call, Fate, Proxy
from tests.simulators.registry import Registry

_HTTP = urllib3.PoolManager(retries=False)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def test_a_call_that_no_rule_touches_is_the_servers_own(registry: Registry) -> None:
    digest = registry.push_image("shop/web")
    with Proxy(registry.url, lambda _: PASS) as proxy:
        path = f"/v2/shop/web/manifests/{digest}"
        for method in ("GET", "HEAD"):
            through = _HTTP.request(method, proxy.url + path)
            direct = _HTTP.request(method, registry.url + path)
            assert (through.status, through.data) == (direct.status, direct.data)
            assert through.headers["Content-Length"] == direct.headers["Content-Length"]


@pytest.mark.parametrize(("fate", "arrives"), [(LOST, False), (ANSWER_LOST, True)])
def test_a_lost_call_and_a_lost_answer_look_alike_to_the_client(
    registry: Registry, fate: Fate, arrives: bool
) -> None:
    with (
        Proxy(registry.url, lambda _: fate) as proxy,
        pytest.raises(urllib3.exceptions.ProtocolError),
    ):
        _HTTP.request("POST", f"{proxy.url}/v2/shop/web/blobs/uploads/")

    assert bool(registry.requests) is arrives


def test_a_rule_sees_the_whole_call_and_may_answer_it(registry: Registry) -> None:
    seen: list[Call] = []

    def rule(call: Call) -> Fate:
        seen.append(call)
        return Fate(forward=False, status=409, body=b'{"kind":"Status"}')

    with Proxy(registry.url, rule) as proxy:
        answer = _HTTP.request("PUT", f"{proxy.url}/a/b?dryRun=All", body=b"x" * 10)

    assert (answer.status, answer.json()) == (409, {"kind": "Status"})
    assert (seen[0].path, seen[0].query, seen[0].body) == ("/a/b", {"dryRun": ["All"]}, b"x" * 10)
    assert not registry.requests
