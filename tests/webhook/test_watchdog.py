"""The watchdog against an API server that can be told to lie; the honest one is in tests/cluster."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.webhook.server import ROOT, issue, wait_until
from tests.webhook.test_metrics_listener import fetch

CONFIGURATION = ROOT / "deploy" / "base" / "validatingwebhookconfiguration.yaml"
PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/stagepass"
GONE = {"kind": "Status", "reason": "NotFound", "code": 404}


class ApiServer(ThreadingHTTPServer):
    """Answers every GET with `status` and `body`, over TLS; None as status ends the connection."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        issue(directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.status: int | None = 200
        self.body = b""
        self.asked: list[tuple[str, str]] = []

    def handle_error(self, *_: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        if self.server.status is None:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    """One that has the shipped configuration."""
    with ApiServer(tmp_path / "tls") as server:
        server.body = live().encode()
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def live(**members: Any) -> str:
    """The shipped configuration as JSON, its webhook with these members."""
    document = yaml.safe_load(CONFIGURATION.read_text())
    document["webhooks"][0].update(members)
    return json.dumps(document)


class Watchdog:
    """A running one; `files` is what it watches by."""

    def __init__(self, directory: Path, api: ApiServer) -> None:
        self.files, self.account = directory / "files", directory / "account"
        self.files.mkdir()
        self.account.mkdir()
        (self.files / "configuration.yaml").write_text(CONFIGURATION.read_text())
        (self.account / "token").write_text("secret-token\n")
        (self.account / "ca.crt").write_bytes((directory / "tls" / "ca.crt").read_bytes())
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.log = directory / "log"
        self.environment = {
            "STAGEPASS_WATCH": str(self.files),
            "STAGEPASS_WATCH_INTERVAL": "0.1",
            "STAGEPASS_METRICS_BIND": self.address,
            "STAGEPASS_SERVICE_ACCOUNT": str(self.account),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(api.server_port),
            "PATH": os.defpath,
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "webhook", "watch"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def refusal(self) -> str:
        """What it says where it does not start."""
        done = subprocess.run(
            [sys.executable, "-m", "webhook", "watch"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 64, done
        return done.stderr

    def metric(self, name: str) -> dict[str, float]:
        """Name of the object → value."""
        try:
            _, text = fetch(self.address)
        except OSError:
            return {}
        families = text_string_to_metric_families(text)
        return {s.labels["name"]: s.value for f in families for s in f.samples if s.name == name}

    def is_at(self, state: float) -> bool:
        return self.metric("stagepass_webhook_config_drift") == {"stagepass": state}

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def watchdog(tmp_path: Path, api: ApiServer) -> Watchdog:
    return Watchdog(tmp_path, api)


@pytest.fixture
def running(watchdog: Watchdog) -> Iterator[Watchdog]:
    """One that has seen the shipped configuration in place."""
    with watchdog.running():
        wait_until(lambda: watchdog.is_at(0))
        yield watchdog


def test_it_asks_for_the_one_object_by_its_token(running: Watchdog, api: ApiServer) -> None:
    assert running.is_at(0)
    assert set(api.asked) == {(PATH, "Bearer secret-token")}
    assert running.metric("stagepass_webhook_config_checked_timestamp_seconds")["stagepass"] > 0


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"404 page not found", "HTTP 404"),
        (404, b'{"kind": "Status", "reason": "Forbidden"}', "HTTP 404"),
        (403, b'{"kind": "Status", "message": "not yours"}', "not yours"),
        (500, b"{}", "HTTP 500"),
        (302, b"{}", "HTTP 302"),
        (200, b"<html>", "not JSON"),
        (200, b"[]", "a JSON object is wanted"),
        (200, b'{"webhooks": 1}', "TypeError"),
        (200, b'{"webhooks": [{"name": "a"}]}', "KeyError"),
        (None, b"", "RemoteDisconnected"),
    ],
)
def test_an_answer_that_is_none_is_neither_well_nor_drift(
    running: Watchdog, api: ApiServer, status: int | None, body: bytes, says: str
) -> None:
    checked = "stagepass_webhook_config_checked_timestamp_seconds"
    api.status, api.body = status, body

    wait_until(lambda: running.is_at(-1))
    before = running.metric(checked)
    (line,) = (each for each in running.lines if each["event"] == "watch.unreadable")
    assert says in line["error"]
    assert running.metric(checked) == before

    api.status, api.body = 200, live().encode()
    wait_until(lambda: running.is_at(0))


def test_an_object_that_is_gone_is_drift(running: Watchdog, api: ApiServer) -> None:
    api.status, api.body = 404, json.dumps(GONE).encode()

    wait_until(lambda: running.is_at(1))


def test_one_line_names_each_field_and_is_not_repeated(running: Watchdog, api: ApiServer) -> None:
    api.body = live(failurePolicy="Ignore", timeoutSeconds=1, invented={"a": 1}).encode()
    wait_until(lambda: running.is_at(1))
    rounds = len(api.asked)
    wait_until(lambda: len(api.asked) > rounds + 3)

    (line,) = (each for each in running.lines if each["event"] == "watch.drift")
    webhook = "webhooks[gate.stagepass.dev]"
    assert line["level"] == "error"
    assert line["fields"] == [
        {"field": f"{webhook}.failurePolicy", "wanted": '"Fail"', "found": '"Ignore"'},
        {"field": f"{webhook}.invented", "wanted": "", "found": '{"a":1}'},
        {"field": f"{webhook}.timeoutSeconds", "wanted": "10", "found": "1"},
    ]


def test_an_api_server_of_another_ca_is_not_believed(watchdog: Watchdog, tmp_path: Path) -> None:
    issue(tmp_path / "other")
    (watchdog.account / "ca.crt").write_bytes((tmp_path / "other" / "ca.crt").read_bytes())

    with watchdog.running():
        wait_until(lambda: watchdog.is_at(-1))
        wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in watchdog.log.read_text())


def test_files_are_taken_over_while_it_runs(running: Watchdog, api: ApiServer) -> None:
    """A new CA in both places is no drift in the end; the change of the files is told."""
    client = {"service": {"name": "a", "namespace": "b"}, "caBundle": "QUJD"}
    api.body = live(clientConfig=client).encode()
    wait_until(lambda: running.is_at(1))

    (running.files / "configuration.yaml").write_text(live(clientConfig=client))
    wait_until(lambda: running.is_at(0))
    assert [line["event"] for line in running.lines].count("watch.files") == 2


@pytest.mark.parametrize("text", ["", "kind: [", "kind: Pod", None])
def test_files_that_break_while_it_runs_make_it_blind(running: Watchdog, text: str | None) -> None:
    """Not silent, and not at ease."""
    path = running.files / "configuration.yaml"
    path.unlink()
    if text is not None:
        path.write_text(text)

    wait_until(lambda: running.is_at(-1))


def test_an_object_that_is_no_longer_wanted_is_no_longer_told_of(running: Watchdog) -> None:
    path = running.files / "configuration.yaml"
    path.write_text(path.read_text().replace("name: stagepass\n", "name: another\n"))

    wait_until(lambda: running.metric("stagepass_webhook_config_drift").keys() == {"another"})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds nothing to watch"),
        ({"a.yaml": "kind: Pod"}, "not an admission object"),
        (
            {"a.yaml": "{apiVersion: v1, kind: Pod, metadata: {name: a}}"},
            "v1 Pod is not watched",
        ),
        ({"a.yaml": "- a"}, "not an admission object"),
        ({"a.yaml": "a: b: c"}, "not YAML"),
        ({"a.yaml": CONFIGURATION.read_text(), "b.yaml": CONFIGURATION.read_text()}, "twice"),
        (
            {"a.yaml": CONFIGURATION.read_text().replace("name: stagepass\n", "name: ../a\n")},
            "is not a name",
        ),
    ],
)
def test_it_does_not_start_without_something_to_watch(
    watchdog: Watchdog, files: dict[str, str], says: str
) -> None:
    (watchdog.files / "configuration.yaml").unlink()
    for name, text in files.items():
        (watchdog.files / name).write_text(text)

    assert says in watchdog.refusal()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAGEPASS_WATCH_INTERVAL", "16"),
        ("STAGEPASS_METRICS_BIND", "nowhere"),
        ("KUBERNETES_SERVICE_HOST", ""),
        ("KUBERNETES_SERVICE_PORT", "https"),
    ],
)
def test_a_setting_it_cannot_use_is_named(watchdog: Watchdog, name: str, value: str) -> None:
    watchdog.environment[name] = value

    assert watchdog.refusal().startswith(f"error: {name}: ")


def test_it_ends_when_asked_to(watchdog: Watchdog) -> None:
    with watchdog.running() as process:
        wait_until(lambda: watchdog.is_at(0))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_any_other_argument_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webhook", "wacth"], cwd=ROOT, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout) == (64, "")
    assert "watch" in done.stderr
