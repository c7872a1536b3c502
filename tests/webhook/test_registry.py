"""A registry that lies, sleeps or is gone: an explicit answer in time, and never a yes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.registry import Faults, Registry
from tests.webhook.reviews import create, pod_spec, review, workload
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop, digest_of
from tests.world import stored

_REPOSITORY = "shop/web"
_TIMEOUT = 10.0
"""What the caller grants in `?timeout=10s`; the gates here have a deadline of one second."""


@pytest.fixture(scope="module")
def running() -> Iterator[Registry]:
    with Registry() as registry:
        yield registry


@pytest.fixture
def registry(running: Registry) -> Iterator[Registry]:
    """Honest again, and without a past, for every test."""
    running.faults = Faults()
    running.requests.clear()
    yield running
    running.faults = Faults()


@pytest.fixture(scope="module")
def server(running: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gate that looks into a directory, then into the registry."""
    directory = tmp_path_factory.mktemp("gate")
    shop = Shop(directory / "shop", running.host)
    evidence = f"dir:{shop.evidence},registry"
    with Server(directory, shop, evidence=evidence, DEADLINE="1") as gate:
        yield gate


def _attested(server: Server, registry: Registry) -> str:
    """A new image in the registry, its pass beside it."""
    content = server.shop.image().encode()
    image = f"{registry.host}/{_REPOSITORY}@{registry.push_image(_REPOSITORY, content)}"
    registry.attach(_REPOSITORY, str(digest_of(image)), server.shop.bundle(image))
    return image


def _codes(response: dict[str, Any]) -> set[str]:
    return set(response["auditAnnotations"]["codes"].split(","))


def _undetermined(server: Server, image: str, code: str) -> dict[str, Any]:
    """The answer about `image`: not known, because of `code`, before the caller gives up."""
    until = time.monotonic() + _TIMEOUT
    response = server.judge(create(image))
    assert time.monotonic() < until
    assert response["allowed"] is False
    assert response["auditAnnotations"]["decision"] == "undetermined"
    assert code in _codes(response)
    status: dict[str, Any] = response["status"]
    assert (status["code"], status["reason"]) == (503, "ServiceUnavailable")
    assert "shop/staging could not find out about" in status["message"]
    assert image in status["message"]
    return response


def test_evidence_beside_the_image_admits_it(server: Server, registry: Registry) -> None:
    assert server.judge(create(_attested(server, registry)))["allowed"] is True


def test_no_evidence_in_an_honest_registry_is_a_denial(server: Server, registry: Registry) -> None:
    image = f"{registry.host}/{_REPOSITORY}@{registry.push_image(_REPOSITORY, b'bare')}"

    response = server.judge(create(image))

    assert (response["status"]["code"], _codes(response)) == (403, {"PASS_MISSING"})


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        pytest.param(Faults(hang=True), "DEADLINE", id="hung"),
        pytest.param(Faults(latency=3), "DEADLINE", id="slow"),
        pytest.param(Faults(trickle=0.2), "DEADLINE", id="a byte at a time"),
        pytest.param(Faults(truncate=True), "REGISTRY_UNAVAILABLE", id="breaks off"),
        pytest.param(Faults(status=500), "REGISTRY_UNAVAILABLE", id="500"),
        pytest.param(Faults(status=503), "REGISTRY_UNAVAILABLE", id="503"),
        pytest.param(Faults(status=429), "REGISTRY_UNAVAILABLE", id="429"),
        pytest.param(Faults(status=403), "REGISTRY_UNAVAILABLE", id="403"),
        pytest.param(Faults(basic=("u", "p")), "REGISTRY_UNAVAILABLE", id="401"),
        pytest.param(Faults(lie=True), "REGISTRY_UNAVAILABLE", id="lies"),
    ],
)
def test_what_a_registry_keeps_from_us_is_undetermined(
    server: Server, registry: Registry, faults: Faults, code: str
) -> None:
    """And not remembered: the same image is admitted as soon as the registry is well."""
    image = _attested(server, registry)
    registry.faults = faults

    _undetermined(server, image, code)

    registry.faults = Faults()
    assert server.judge(create(image))["allowed"] is True


def test_requests_are_counted_by_host_and_result(server: Server, registry: Registry) -> None:
    """A registry that fails shows in the metrics before it shows in a stalled rollout."""
    image = _attested(server, registry)
    registry.faults = Faults(status=500)
    _undetermined(server, image, "REGISTRY_UNAVAILABLE")
    registry.faults = Faults()
    assert server.judge(create(image))["allowed"] is True

    text = server.get("/metrics").body.decode()
    name = "stagepass_registry_requests_total"
    assert f'{name}{{host="{registry.host}",result="500"}}' in text
    assert f'{name}{{host="{registry.host}",result="200"}}' in text


def test_a_registry_that_is_not_there_is_undetermined(tmp_path: Path) -> None:
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        shop = Shop(tmp_path / "shop", f"127.0.0.1:{reserved.getsockname()[1]}")
        with Server(tmp_path, shop, evidence="registry") as server:
            _undetermined(server, shop.image(), "REGISTRY_UNAVAILABLE")


def test_a_registry_whose_name_does_not_resolve_is_undetermined(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop", "registry.invalid")
    with Server(tmp_path, shop, evidence="registry", DEADLINE="2") as server:
        response = server.judge(create(shop.image()))

        assert response["status"]["code"] == 503
        assert _codes(response) & {"REGISTRY_UNAVAILABLE", "DEADLINE"}


def test_the_callers_own_timeout_counts_where_it_is_shorter(tmp_path: Path) -> None:
    """`?timeout=1s` at a gate that would wait for 30: an answer, and not a failed call."""
    with Registry(faults=Faults(hang=True)) as registry:
        shop = Shop(tmp_path / "shop", registry.host)
        with Server(tmp_path, shop, evidence="registry", DEADLINE="30") as server:
            until = time.monotonic() + 10
            response = server.judge(create(shop.image()), timeout="1s")

            assert time.monotonic() < until
            assert "DEADLINE" in _codes(response)
            assert response["status"]["code"] == 503


def test_an_object_of_many_images_has_one_deadline(server: Server, registry: Registry) -> None:
    registry.faults = Faults(hang=True)
    images = [server.shop.image(f"part{index}") for index in range(200)]

    until = time.monotonic() + _TIMEOUT
    response = server.judge(review(workload(pod_spec(*images))))

    assert time.monotonic() < until
    assert "DEADLINE" in _codes(response)
    assert response["status"]["code"] == 503


def test_more_waiting_reviews_than_threads_are_all_answered(
    server: Server, registry: Registry
) -> None:
    """Eight threads wait a second each; whoever stands behind them waits twice, health included."""
    registry.faults = Faults(hang=True)
    until = time.monotonic() + 15
    with ThreadPoolExecutor(17) as pool:
        answers = [
            pool.submit(_undetermined, server, server.shop.image(), "DEADLINE") for _ in range(16)
        ]
        health = pool.submit(server.get, "/healthz")
        assert [answer.result()["allowed"] for answer in answers] == [False] * 16
        assert health.result().status == 200
    assert time.monotonic() < until
    _until_asked_again(server, registry)


def _until_asked_again(server: Server, registry: Registry) -> None:
    """A hung registry is left alone for 2 s; the tests after this one want it asked."""
    registry.faults = Faults()
    image = _attested(server, registry)
    wait_until(lambda: bool(server.judge(create(image))["allowed"]))


def test_the_directory_suffices_while_the_registry_is_down(
    server: Server, registry: Registry
) -> None:
    """What is proven on disk costs the registry nothing, not even a connection."""
    registry.faults = Faults(hang=True)

    response = server.judge(create(server.shop.passed()))

    assert response["allowed"] is True
    assert registry.requests == []


def test_half_the_evidence_on_disk_is_undetermined_while_the_registry_is_down(
    server: Server, registry: Registry
) -> None:
    """What is missing is named beside it: `canary` wants a scan as well."""
    registry.faults = Faults(status=500)

    response = server.judge(create(server.shop.passed(), namespace="canary"))

    assert response["status"]["code"] == 503
    assert _codes(response) == {"REQUIREMENT_MISSING", "REGISTRY_UNAVAILABLE"}


def test_evidence_of_two_places_adds_up(server: Server, registry: Registry) -> None:
    image = server.shop.scanned(_attested(server, registry))

    assert server.judge(create(image, namespace="canary"))["allowed"] is True


def test_a_stage_that_only_warns_says_that_it_does_not_know(
    server: Server, registry: Registry
) -> None:
    registry.faults = Faults(status=500)

    response = server.judge(create(server.shop.image(), namespace="preview"))

    assert response["allowed"] is True
    assert response["auditAnnotations"]["decision"] == "undetermined"
    assert any("could not find out" in warning for warning in response["warnings"])
    assert max(map(len, response["warnings"])) <= 256


def test_an_admitted_image_is_not_asked_about_again(server: Server, registry: Registry) -> None:
    image = _attested(server, registry)
    assert server.judge(create(image))["allowed"] is True
    registry.requests.clear()
    registry.faults = Faults(hang=True)

    assert server.judge(create(image))["allowed"] is True
    assert registry.requests == []


def test_evidence_that_arrives_after_a_denial_counts_at_once(
    server: Server, registry: Registry
) -> None:
    image = server.shop.image()
    registry.faults = Faults()
    assert server.judge(create(image))["allowed"] is False

    stored(server.shop.evidence, [server.shop.bundle(image)], digest_of(image))

    assert server.judge(create(image))["allowed"] is True
