"""A real webhook process for one cluster, and the AdmissionReviews an API server would send it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import Request, urlopen

from certs.issue import issue
from certs.names import Names
from examples.shop import Shop

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30.0


class Gate:
    """`python -m webhook` on a free loopback port, until the `with` block ends."""

    def __init__(self, shop: Shop, cluster: str) -> None:
        self._port = _free_port()
        tls = shop.root / f"tls-{cluster}"
        names = Names.of_service("stagepass", "stagepass-system", ips=["127.0.0.1"])
        issue(tls, names, days=1, replace=False, now=datetime.now(UTC))
        self._tls = ssl.create_default_context(cafile=str(tls / "ca.crt"))
        environment = {
            **os.environ,
            "STAGEPASS_CLUSTER": cluster,
            "STAGEPASS_POLICY": str(shop.policy),
            "STAGEPASS_EVIDENCE": f"dir:{shop.evidence}",
            "STAGEPASS_TLS_DIR": str(tls),
            "STAGEPASS_BIND": f"127.0.0.1:{self._port}",
            "STAGEPASS_WORKERS": "1",
        }
        self._log = (shop.root / f"{cluster}.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "webhook"],
            cwd=ROOT,
            env=environment,
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(URLError, ConnectionError):
                self._send("/readyz")
                return self
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise RuntimeError(f"the webhook did not start: {Path(self._log.name).read_text()}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(15)
        self._log.close()

    def ask(self, deployment: dict[str, Any]) -> tuple[str, str, list[str]]:
        """Post a review of a new Deployment: (answer, message, reason codes)."""
        review = json.dumps(_review(deployment)).encode()
        response = json.loads(self._send("/validate?timeout=10s", review))["response"]
        if response["allowed"]:
            return "admitted", f"requirements: {response['auditAnnotations']['requirements']}", []
        status = response["status"]
        answer = "denied" if status["code"] == 403 else "undetermined"
        return answer, status["message"], [cause["reason"] for cause in status["details"]["causes"]]

    def _send(self, path: str, body: bytes | None = None) -> bytes:
        request = Request(  # always https, to the process started above
            f"https://127.0.0.1:{self._port}{path}", body, {"Content-Type": "application/json"}
        )
        with urlopen(request, context=self._tls, timeout=15) as reply:  # noqa: S310
            data: bytes = reply.read()
        return data


def _review(deployment: dict[str, Any]) -> dict[str, Any]:
    """What a real API server sends for `kubectl create`, cut to what is read."""
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "operation": "CREATE",
        "namespace": "shop",
        "object": deployment,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
