"""Workers come and go; whoever asks gets an answer."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.simulators.registry import Faults, Registry
from tests.webhook.reviews import create
from tests.webhook.server import Server, reply, wait_until
from tests.webhook.shop import Shop


class _Load:
    """Reviews from several clients: how many were answered right, and what went wrong."""

    def __init__(self, server: Server) -> None:
        self.answered, self.lost, self.wrong = 0, list[Exception](), list[str]()
        self._server = server
        self._images = [server.shop.passed() for _ in range(20)]
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Every second image may enter, and no answer may say anything else."""
        for index, good in enumerate(self._images):
            image = good if index % 2 else self._server.shop.image()
            try:
                answer = self._server.review(create(image))
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(error)
                continue
            with self._lock:
                self.answered += 1
            if answer.status != 200 or answer.json["response"]["allowed"] is not (index % 2 == 1):
                self.wrong.append(f"{answer.status} {answer.body!r}")

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()

        def until_stopped() -> None:
            while not stop.is_set():
                self.ask()

        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(until_stopped) for _ in range(4)]
            try:
                yield
            finally:
                stop.set()
            for future in futures:
                future.result()


def test_a_killed_worker_costs_its_own_requests_only_and_comes_back(
    tmp_path: Path, shop: Shop
) -> None:
    with Server(tmp_path, shop, workers=2) as server:
        load, (first, second) = _Load(server), server.workers()
        with load.running():
            wait_until(lambda: load.answered > 40)
            os.kill(first, signal.SIGKILL)
            killed_at = load.answered
            wait_until(lambda: load.answered > killed_at + 40)
            wait_until(lambda: len(server.workers()) == 2 and first not in server.workers())

        assert load.wrong == []
        assert second in server.workers()
        lost = len(load.lost)
        load.ask()
        assert len(load.lost) == lost
        assert load.wrong == []
        assert server.get("/readyz").status == 200


def test_counts_outlive_the_worker_that_made_them(tmp_path: Path, shop: Shop) -> None:
    with Server(tmp_path, shop, workers=1) as server:
        for _ in range(5):
            server.judge(create(shop.image()))
        (worker,) = server.workers()

        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.workers() not in ([], [worker]))
        wait_until(lambda: len(server.log_lines("policy.loaded")) == 2)
        server.judge(create(shop.image()))

        text = server.get("/metrics").body.decode()
        assert 'allowed="false",answer="denied",place="shop/staging"} 6.0\n' in text
        assert "\nstagepass_policy_broken 0.0\n" in text


@pytest.fixture
def hung() -> Iterator[Registry]:
    with Registry(faults=Faults(hang=True)) as registry:
        yield registry


def test_sigterm_lets_what_was_asked_be_answered(tmp_path: Path, hung: Registry) -> None:
    shop = Shop(tmp_path / "shop", hung.host)
    with (
        Server(tmp_path, shop, evidence="registry", DEADLINE="3") as server,
        ThreadPoolExecutor(4) as pool,
    ):
        answers = [pool.submit(server.judge, create(shop.image())) for _ in range(4)]
        wait_until(lambda: len(hung.requests) == 4)

        server.terminate()

        for answer in answers:
            response = answer.result()
            assert response["status"]["code"] == 503
            assert "DEADLINE" in response["auditAnnotations"]["codes"]
        assert server.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        assert "Traceback" not in server.stderr()


def test_sigterm_answers_a_request_on_a_kept_connection(tmp_path: Path, shop: Shop) -> None:
    """An API server keeps its connection, and may be writing to it just then: it is told to stop."""
    with Server(tmp_path, shop) as server, closing(server.connect()) as connection:

        def ask() -> str:
            connection.request("GET", "/healthz")
            answer = reply(connection)
            assert answer.status == 200
            return answer.headers["connection"]

        assert ask() == "keep-alive"
        server.terminate()
        wait_until(lambda: ask() == "close")
        assert server.wait(20) == 0


def test_it_leaves_no_file_behind(tmp_path: Path, shop: Shop) -> None:
    with Server(tmp_path, shop, workers=2) as server:
        server.judge(create(shop.image()))
        assert list((tmp_path / "tmp").iterdir()) != []
        server.terminate()
        assert server.wait(20) == 0

    assert list((tmp_path / "tmp").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) == []


def test_workers_end_when_their_parent_is_gone(tmp_path: Path, shop: Shop) -> None:
    """A gate that was killed leaves nothing that goes on answering by an old policy."""
    with Server(tmp_path, shop, workers=2) as server:
        workers = server.workers()

        os.kill(server.pid, signal.SIGKILL)

        wait_until(lambda: not any(Path(f"/proc/{pid}/status").exists() for pid in workers))


def test_sighup_replaces_the_workers_by_ones_that_judge_alike(tmp_path: Path, shop: Shop) -> None:
    with Server(tmp_path, shop, workers=2) as server:
        before = set(server.workers())

        os.kill(server.pid, signal.SIGHUP)

        wait_until(lambda: len(set(server.workers()) - before) == 2)
        wait_until(lambda: not set(server.workers()) & before)
        wait_until(lambda: len(server.log_lines("policy.loaded")) == 4)
        assert server.judge(create(shop.passed()))["allowed"] is True
        assert server.judge(create(shop.image()))["allowed"] is False
