"""`/metrics` on an address of its own, for a scraper that has no certificate of ours."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop


@pytest.fixture
def address() -> str:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def server(tmp_path: Path, shop: Shop, address: str) -> Iterator[Server]:
    with Server(tmp_path, shop, workers=2, METRICS_BIND=address) as running:
        yield running


def fetch(address: str, path: str = "/metrics") -> tuple[int, str]:
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def values(text: str) -> dict[str, float]:
    """Every sample without labels."""
    families = text_string_to_metric_families(text)
    return {s.name: s.value for family in families for s in family.samples if not s.labels}


def is_listening(address: str) -> bool:
    try:
        fetch(address)
    except OSError:
        return False
    return True


def test_all_workers_are_told_of_there_and_only_there(server: Server, address: str) -> None:
    for _ in range(10):
        server.judge(create(server.shop.image()))
    wait_until(lambda: is_listening(address))

    status, text = fetch(address)
    timed = re.findall(r"^stagepass_decision_seconds_count\{.*\} (.*)$", text, re.MULTILINE)
    assert (status, sum(map(float, timed))) == (200, 10)
    assert server.get("/metrics").status == 404
    assert server.get("/healthz").status == 200


@pytest.mark.usefixtures("server")
def test_it_answers_nothing_else(address: str) -> None:
    wait_until(lambda: is_listening(address))

    assert {fetch(address, path)[0] for path in ("/", "/validate", "/healthz", "/metrics/x")} == {
        404
    }


def test_ages_and_ends_are_told(server: Server, address: str) -> None:
    wait_until(lambda: is_listening(address))
    told = values(fetch(address)[1])
    certificate = ssl._ssl._test_decode_cert(str(server.tls / "tls.crt"))  # type: ignore[attr-defined]
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])

    assert told["stagepass_certificate_expiry_timestamp_seconds"] == ends
    assert 0 <= time.time() - told["stagepass_policy_loaded_timestamp_seconds"] < 60
    assert told["stagepass_policy_expiry_timestamp_seconds"] == 0


def test_it_ends_with_the_gate(tmp_path: Path, shop: Shop, address: str) -> None:
    with Server(tmp_path, shop, METRICS_BIND=address) as server:
        wait_until(lambda: is_listening(address))
        server.terminate()
        assert server.wait(20) == 0
    wait_until(lambda: not is_listening(address), seconds=10)


def test_without_the_setting_the_tls_listener_has_them(tmp_path: Path, shop: Shop) -> None:
    with Server(tmp_path, shop) as server:
        told = values(server.get("/metrics").body.decode())

    assert told["stagepass_policy_loaded_timestamp_seconds"] > 0
    assert "stagepass_certificate_expiry_timestamp_seconds" in told
