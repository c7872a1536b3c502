"""
Where dead letters are kept: objects of their own, or ConfigMaps where the CRD is not installed.

Both hold the same record. A letter is written by server-side apply under the name that it gives
itself, so that any write may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

import orjson

from applier.cluster import Cluster, Resource
from applier.deadletters import Letter, LetterState
from applier.failure import Failure, Reason
from applier.health_status import whole
from applier.records_conditions import Said, conditions
from applier.records_events import send
from applier.records_status import Event
from applier.rules import DOMAIN, FIELD_MANAGER, members
from applier.store import KIND_LABEL
from stagepass import log
from stagepass.errors import InputError

VERSION = f"{DOMAIN}/v1alpha1"
_CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
_VALUE, _REDRIVE, _CLOSE = "letter.json", "redrive", "close"
_WHO = "stagepass-dlq"
"""The field manager of what people ask for, so that the applier's own applies leave it alone."""


class Letters(Protocol):
    """Dead letters of one cluster. Every method raises `Failure`."""

    def all(self) -> list[Letter]:
        """Every letter that can be read, by one LIST."""

    def get(self, name: str) -> Letter | None:
        """One by its name."""

    def put(self, letter: Letter, now: datetime) -> None:
        """Write it whole; what people asked for stays."""

    def ask(self, name: str, *, redrive: str = "", close: str = "") -> None:
        """Note what a person wants of it."""

    def remove(self, name: str) -> None:
        """Delete it, if it is there."""


def letters_of(cluster: Cluster, namespace: str) -> Letters:
    """The place for them in this cluster. Raises `Failure`."""
    resource = served(cluster, "DeadLetter")
    if resource is None:
        return ConfigMapLetters(cluster, namespace)
    return ObjectLetters(cluster, namespace, resource)


def served(cluster: Cluster, kind: str) -> Resource | None:
    """How a kind of ours is served, None where its CRD is not installed. Raises `Failure`."""
    try:
        return cluster.resource(VERSION, kind)
    except Failure as failure:
        if failure.reason is Reason.KIND_UNKNOWN:
            return None
        raise


class ObjectLetters:
    """Objects of the kind DeadLetter."""

    def __init__(self, cluster: Cluster, namespace: str, resource: Resource) -> None:
        self._cluster, self._namespace, self._resource = cluster, namespace, resource

    def all(self) -> list[Letter]:
        """See `Letters`."""
        return list(
            _readable(
                (item["metadata"]["name"], members(item.get("spec")), members(item.get("status")))
                for item in self._cluster.list(self._resource, namespace=self._namespace)
            )
        )

    def get(self, name: str) -> Letter | None:
        """See `Letters`."""
        live = self._cluster.get(self._resource, self._namespace, name)
        if live is None:
            return None
        return next(
            _readable([(name, members(live.get("spec")), members(live.get("status")))]), None
        )

    def put(self, letter: Letter, now: datetime) -> None:
        """See `Letters`. Two writes, the second of the status alone, and an event of a new state."""
        head: dict[str, Any] = {
            "apiVersion": VERSION,
            "kind": "DeadLetter",
            "metadata": {"name": letter.name, "namespace": self._namespace},
        }
        written = self._cluster.apply(
            self._resource, {**head, "spec": letter.spec()}, account=None, force=True
        )
        generation = whole(written["metadata"].get("generation"))
        status = {
            **letter.status(),
            "observedGeneration": generation,
            "conditions": conditions(
                _said(letter), members(written.get("status")), generation, now
            ),
        }
        apply_status(self._cluster, self._resource, {**head, "status": status})
        if members(written.get("status")).get("state") != letter.state:
            about = {
                "apiVersion": VERSION,
                "kind": "DeadLetter",
                **head["metadata"],
                "uid": written["metadata"]["uid"],
            }
            send(self._cluster, about, _event(letter), now)

    def ask(self, name: str, *, redrive: str = "", close: str = "") -> None:
        """See `Letters`."""
        spec: dict[str, Any] = {"redrive": redrive} if redrive else {}
        if close:
            spec["close"] = {"reason": close}
        _merge(self._cluster, self._resource, self._namespace, name, {"spec": spec})

    def remove(self, name: str) -> None:
        """See `Letters`."""
        _remove(self._cluster, self._resource, self._namespace, name)


class ConfigMapLetters:
    """The same record in ConfigMaps; what people ask for stands in keys of its own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def all(self) -> list[Letter]:
        """See `Letters`."""
        found = self._cluster.list(
            _CONFIG_MAPS, namespace=self._namespace, selector=f"{KIND_LABEL}=dead-letter"
        )
        return list(_readable(map(_halves, found)))

    def get(self, name: str) -> Letter | None:
        """See `Letters`."""
        live = self._cluster.get(_CONFIG_MAPS, self._namespace, name)
        return None if live is None else next(_readable([_halves(live)]), None)

    def put(self, letter: Letter, now: datetime) -> None:  # noqa: ARG002  # no conditions here
        """See `Letters`."""
        value = orjson.dumps({"spec": letter.spec(), "status": letter.status()}).decode()
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": letter.name,
                "namespace": self._namespace,
                "labels": {KIND_LABEL: "dead-letter"},
            },
            "data": {_VALUE: value},
        }
        self._cluster.apply(_CONFIG_MAPS, body, account=None, force=True)

    def ask(self, name: str, *, redrive: str = "", close: str = "") -> None:
        """See `Letters`."""
        data = {key: value for key, value in ((_REDRIVE, redrive), (_CLOSE, close)) if value}
        _merge(self._cluster, _CONFIG_MAPS, self._namespace, name, {"data": data})

    def remove(self, name: str) -> None:
        """See `Letters`."""
        _remove(self._cluster, _CONFIG_MAPS, self._namespace, name)


def apply_status(
    cluster: Cluster, resource: Resource, document: Mapping[str, Any]
) -> dict[str, Any]:
    """Server-side apply of our own object's status. Raises `Failure`."""
    metadata = document["metadata"]
    return cluster.request(
        "PATCH",
        resource.path(metadata["namespace"], metadata["name"]) + "/status",
        document,
        query=[("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict"), ("force", "true")],
        content_type="application/apply-patch+yaml",
        about=f"{resource.group}/{resource.kind}/{metadata['namespace']}/{metadata['name']}",
    )


def _event(letter: Letter) -> Event:
    if letter.state is LetterState.OPEN:
        return Event(True, letter.reason.name, letter.message)
    return Event(False, str(letter.state), letter.because)


def _said(letter: Letter) -> list[Said]:
    is_open = letter.state is LetterState.OPEN
    tried = is_open and bool(letter.redriven) and letter.attempts == 0
    state = str(letter.state)
    return [
        Said("Ready", not is_open, letter.reason.name if is_open else state, letter.because),
        Said("Reconciling", tried, "Redriven" if tried else state),
        Said("Stalled", is_open and not tried, letter.reason.name if is_open else state),
    ]


def _readable(
    found: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]],
) -> Iterator[Letter]:
    """One that makes no sense is left alone, and hides no other."""
    for name, spec, status in found:
        try:
            letter = Letter.read(spec, status)
        except InputError as error:
            log.error("dead_letter.unreadable", name=name, error=str(error))
            continue
        if letter.name == name:
            yield letter


def _halves(item: Mapping[str, Any]) -> tuple[str, dict[str, Any], Mapping[str, Any]]:
    data = members(item.get("data"))
    try:
        value = members(orjson.loads(data.get(_VALUE) or "{}"))
    except orjson.JSONDecodeError:
        value = {}
    spec = dict(members(value.get("spec")))
    if data.get(_REDRIVE):
        spec["redrive"] = data[_REDRIVE]
    if data.get(_CLOSE):
        spec["close"] = {"reason": data[_CLOSE]}
    return item["metadata"]["name"], spec, members(value.get("status"))


def _merge(
    cluster: Cluster, resource: Resource, namespace: str, name: str, body: Mapping[str, Any]
) -> None:
    cluster.request(
        "PATCH",
        resource.path(namespace, name),
        body,
        query=[("fieldManager", _WHO)],
        content_type="application/merge-patch+json",
        about=f"the dead letter {name}",
    )


def _remove(cluster: Cluster, resource: Resource, namespace: str, name: str) -> None:
    try:
        cluster.request("DELETE", resource.path(namespace, name), about=f"the dead letter {name}")
    except Failure as failure:
        if not failure.is_missing:
            raise
