"""
A kubelet's stand-in: what a node would report about each Pod of a cluster, written to its status.

It runs nothing. By default every container is ready with the image that was asked for; `faults` make
some images fail to be pulled, crash, end with an error, or never get ready. Pods stay without a node:
such a Pod is deleted at once without a kubelet, and readiness does not ask for one.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

_POLL_SECONDS = 0.1
_ENDED = ("Succeeded", "Failed")
_LISTS = (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses"))


@dataclass(slots=True)
class KubeletFaults:
    """Parts of image names; a container whose image holds one behaves so. Change them at any time."""

    unpullable: set[str] = field(default_factory=set)
    crashing: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    """Of a Job: its containers end with exit code 1."""
    slow: set[str] = field(default_factory=set)
    """Never ready, and nothing says why."""


class Kubelet:
    """A context manager: it looks every 0.1 s inside the block. `server` is the API server's URL."""

    def __init__(self, server: str, token: str, ca_file: Path) -> None:
        self.faults = KubeletFaults()
        self._address = urlsplit(server)
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._headers = {"Authorization": f"Bearer {token}"}
        self._told: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            try:
                connection = http.client.HTTPSConnection(
                    self._address.hostname or "", self._address.port, context=self._tls, timeout=10
                )
                with closing(connection):
                    self._look(connection)
            except (OSError, http.client.HTTPException, ValueError):
                continue  # the API server is away: a kubelet waits for it, too

    def _look(self, connection: http.client.HTTPSConnection) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            pods = self._call(connection, "GET", "/api/v1/pods?resourceVersion=0", None)
            for pod in pods.get("items") or []:
                self._report(connection, pod)

    def _report(self, connection: http.client.HTTPSConnection, pod: dict[str, Any]) -> None:
        metadata, status = pod["metadata"], self._status(pod)
        if metadata.get("deletionTimestamp") or pod.get("status", {}).get("phase") in _ENDED:
            return
        text = json.dumps(status, sort_keys=True)
        if self._told.get(metadata["uid"]) == text:
            return
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for condition in status["conditions"]:
            condition["lastTransitionTime"] = now
        self._call(connection, "PATCH", path, {"status": {**status, "startTime": now}})
        self._told[metadata["uid"]] = text

    def _status(self, pod: dict[str, Any]) -> dict[str, Any]:
        statuses = {
            told: [self._container(each) for each in pod["spec"].get(listed) or []]
            for listed, told in _LISTS
        }
        ready = all(each["ready"] for each in statuses["containerStatuses"])
        is_job = any(o["kind"] == "Job" for o in pod["metadata"].get("ownerReferences") or [])
        if is_job and ready:
            return self._ended(statuses["containerStatuses"])
        for each in statuses["initContainerStatuses"]:
            each["state"] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        kinds = ("Initialized", "PodScheduled", "ContainersReady", "Ready")
        truth = {kind: ready or kind in ("Initialized", "PodScheduled") for kind in kinds}
        return {
            "phase": "Running" if ready else "Pending",
            "podIP": "10.244.0.1",
            "conditions": [{"type": k, "status": str(v)} for k, v in truth.items()],
            **statuses,
        }

    def _ended(self, containers: list[dict[str, Any]]) -> dict[str, Any]:
        images = [each["image"] for each in containers]
        failed = any(name in image for name in self.faults.failing for image in images)
        how = (
            {"exitCode": 1, "reason": "Error"} if failed else {"exitCode": 0, "reason": "Completed"}
        )
        done = [{**each, "ready": False, "state": {"terminated": how}} for each in containers]
        phase = "Failed" if failed else "Succeeded"
        return {"phase": phase, "conditions": [], "containerStatuses": done}

    def _container(self, container: dict[str, Any]) -> dict[str, Any]:
        image = container["image"]
        state: dict[str, Any] = {"running": {}}
        for names, reason in (
            (self.faults.unpullable, "ImagePullBackOff"),
            (self.faults.crashing, "CrashLoopBackOff"),
            (self.faults.slow, "ContainerCreating"),
        ):
            if any(name in image for name in names):
                state = {"waiting": {"reason": reason}}
        return {
            "name": container["name"],
            "image": image,
            "imageID": image if "@" in image else "",
            "ready": "running" in state,
            "restartCount": 0,
            "state": state,
        }

    def _call(
        self, connection: http.client.HTTPSConnection, method: str, path: str, body: Any
    ) -> dict[str, Any]:
        headers = {**self._headers, "Content-Type": "application/merge-patch+json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
