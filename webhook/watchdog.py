"""
`python -m webhook watch`: does the cluster still ask the gate as the files say it should?

Compares the webhook configuration, and the policies that guard it, with the files they were applied
from. Three answers for each: the same, different, could not find out. It changes nothing.
"""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stagepass import log, strictyaml
from stagepass.environ import between, read
from stagepass.errors import InputError
from stagepass.settings import address
from webhook import listener
from webhook.watchdog_api import Address, ApiServer, Unreadable
from webhook.watchdog_drift import Wanted
from webhook.watchdog_metrics import CHECKED, DRIFT

_SAME, _DIFFERS, _UNKNOWN = 0, 1, -1
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """`interval` is the pause between two rounds, in seconds."""

    files: Path
    interval: float
    metrics_bind: str
    server: Address

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> WatchSettings:
        """Raises `InputError`, naming the variable."""
        return cls(
            files=read(environ, "STAGEPASS_WATCH", Path, "/etc/stagepass/watch"),
            interval=read(environ, "STAGEPASS_WATCH_INTERVAL", between(0.1, 15), "5"),
            metrics_bind=read(environ, "STAGEPASS_METRICS_BIND", address, "0.0.0.0:9090"),
            server=Address(
                host=read(environ, "KUBERNETES_SERVICE_HOST", str),
                port=read(environ, "KUBERNETES_SERVICE_PORT", int, "443"),
                account=read(environ, "STAGEPASS_SERVICE_ACCOUNT", Path, _ACCOUNT),
            ),
        )


def read_wanted(directory: Path) -> tuple[str, list[Wanted]]:
    """Digest and objects of every `*.yaml` in `directory`. Raises `InputError`."""
    digest, found = hashlib.sha256(), dict[tuple[str, str], Wanted]()
    try:
        files = [(path, path.read_bytes()) for path in sorted(directory.glob("*.yaml"))]
    except OSError as error:
        raise InputError(f"cannot be read: {error}", where=str(directory)) from error
    for path, data in files:
        digest.update(data + b"\0")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise InputError("not UTF-8", where=str(path)) from error
        for document in strictyaml.load_all(text, where=str(path)):
            if document is None:
                continue
            wanted = Wanted.parse(document, str(path))
            if (wanted.kind, wanted.name) in found:
                raise InputError(f"{wanted.kind} {wanted.name} stands twice", where=str(path))
            found[wanted.kind, wanted.name] = wanted
    if not found:
        hint = "the configuration, as it was applied, in a file *.yaml"
        raise InputError("holds nothing to watch", where=str(directory), hint=hint)
    return digest.hexdigest(), list(found.values())


class Watchdog:
    """Compares round after round; what is seen is told once, and again when it changes."""

    def __init__(self, settings: WatchSettings) -> None:
        """Raises `InputError` where the files are unusable: nothing would be watched."""
        self._settings = settings
        self._digest, self._wanted = "", list[Wanted]()
        self._told: dict[tuple[str, str], Any] = {}
        self._read()

    def poll(self) -> None:
        """One round. Never raises: a watchdog that ended would leave its last word standing."""
        try:
            self._read()
            with ApiServer(self._settings.server) as server:
                for wanted in self._wanted:
                    self._look(server, wanted)
        except InputError as error:
            self._blind(str(error))
        except Exception as error:
            self._blind(f"{type(error).__name__}: {error}")
            log.exception("watch.failed")

    def _read(self) -> None:
        """Take over the files where they changed: a new CA is no drift, and is told."""
        digest, wanted = read_wanted(self._settings.files)
        if digest == self._digest:
            return
        for gone in {(w.kind, w.name) for w in self._wanted} - {(w.kind, w.name) for w in wanted}:
            DRIFT.remove(*gone)
            CHECKED.remove(*gone)
            self._told.pop(gone, None)
        for each in wanted:
            CHECKED.labels(each.kind, each.name)
            if (each.kind, each.name) not in self._told:
                DRIFT.labels(each.kind, each.name).set(_UNKNOWN)
        self._digest, self._wanted = digest, wanted
        objects = [f"{each.kind}/{each.name}" for each in wanted]
        log.info("watch.files", digest=f"sha256:{digest}", objects=objects)

    def _look(self, server: ApiServer, wanted: Wanted) -> None:
        try:
            differences = wanted.differences(server.get(wanted.path))
        except Unreadable as error:
            self._tell(wanted, _UNKNOWN, str(error))
            return
        CHECKED.labels(wanted.kind, wanted.name).set(time.time())
        self._tell(wanted, _DIFFERS if differences else _SAME, differences)

    def _tell(self, wanted: Wanted, state: int, detail: Any) -> None:
        DRIFT.labels(wanted.kind, wanted.name).set(state)
        key = wanted.kind, wanted.name
        if self._told.get(key) == (state, detail):
            return
        self._told[key] = state, detail
        what = f"{wanted.kind}/{wanted.name}"
        if state == _SAME:
            log.info("watch.same", object=what)
        elif state == _UNKNOWN:
            log.error("watch.unreadable", object=what, error=detail)
        else:
            log.error("watch.drift", object=what, fields=[asdict(each) for each in detail])

    def _blind(self, problem: str) -> None:
        """Nothing is known about any object, whatever was known a round ago."""
        for wanted in self._wanted:
            self._tell(wanted, _UNKNOWN, problem)


def run(environ: Mapping[str, str]) -> None:
    """Watch until SIGTERM or SIGINT. Raises `InputError` or `OSError` where that cannot begin."""
    settings = WatchSettings.from_environ(environ)
    watchdog = Watchdog(settings)
    listener.serve(settings.metrics_bind)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watchdog.poll()
    while not stop.wait(settings.interval):
        watchdog.poll()
