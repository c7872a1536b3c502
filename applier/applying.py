"""
A plan carried out: server-side apply in waves, then prune by UID.

The caller has written the inventory before; what comes back says what it may be shrunk to. A write
whose outcome is not known is read back before anybody tries it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from applier.cluster import Cluster, Resource
from applier.compare import differs
from applier.failure import Failure, Kind, Reason
from applier.health import Status, health
from applier.inventory import Entry, Inventory
from applier.live import Live
from applier.objects import apply_order
from applier.plan import Plan
from applier.rules import CRD, FIELD_MANAGER, Object, identity
from stagepass.manifest import ObjectId
from stagepass.policy.source import ServiceAccount

_THREADS = 4  # the knee on two cores (applier-baseline section 4)
_WAIT_SECONDS, _POLL_SECONDS = 10.0, 0.1
_AWAITED = {CRD, ("", "Namespace")}


@dataclass(frozen=True, slots=True)
class Applied:
    """`inventory` is what is owned now, with what the API server is still deleting."""

    inventory: Inventory
    failures: tuple[Failure, ...]


class Applying:
    """Writes as one service account. One for each application and step."""

    def __init__(
        self, cluster: Cluster, live: Live, account: ServiceAccount, takeover: frozenset[ObjectId]
    ) -> None:
        self._cluster, self._live = cluster, live
        self._account, self._takeover = account, takeover

    def rehearse(self, objects: Sequence[Object]) -> None:
        """
        A dry run of all: raises the first `Failure` that waiting for an earlier wave would not mend.

        It costs as much as the apply itself, so only all-or-nothing sources pay for it.
        """
        comes_first = any(_kind(each) in _AWAITED for each in objects)
        for failure in self._each(objects, self._rehearse):
            missing = failure.reason in (Reason.NAMESPACE_MISSING, Reason.KIND_UNKNOWN)
            if not (missing and comes_first):
                raise failure

    def carry_out(self, plan: Plan, inventory: Inventory) -> Applied:
        """Apply, wave by wave; prune only where everything was applied. Never raises `Failure`."""
        uids: dict[ObjectId, str] = {}
        failures: list[Failure] = []
        for wave in apply_order([*plan.create, *plan.update]):
            failures += self._each(wave, lambda each: self._apply(each, uids))
            awaited = [each for each in wave if _kind(each) in _AWAITED]
            if failures and awaited:
                break  # what comes next would only fail for want of these
            failures += self._await(awaited)
        inventory = inventory.with_uids(uids)
        if failures:
            return Applied(inventory, tuple(failures))
        return self._prune(plan, inventory)

    def _prune(self, plan: Plan, inventory: Inventory) -> Applied:
        failures: list[Failure] = []
        gone = {entry.id for entry in plan.forgotten}
        for entry in (*plan.prune, *plan.going):
            try:
                if self._delete(entry):
                    gone.add(entry.id)
            except Failure as failure:
                failures.append(failure)
        # Whole or not at all: an approval is of the set, and what is gone is found out again.
        left = inventory if failures else inventory.without(gone)
        return Applied(left, tuple(failures))

    def _each(self, objects: Sequence[Object], do: Callable[[Object], None]) -> list[Failure]:
        """Do it to all, several at a time; what failed, in the order of the objects."""

        def attempt(each: Object) -> Failure | None:
            try:
                do(each)
            except Failure as failure:
                return failure
            return None

        if len(objects) == 1:
            results: Iterable[Failure | None] = [attempt(objects[0])]
        else:
            with ThreadPoolExecutor(_THREADS, "apply") as pool:
                results = list(pool.map(attempt, objects))
        return [failure for failure in results if failure is not None]

    def _resource(self, document: Object) -> Resource:
        return self._cluster.resource(document["apiVersion"], document["kind"])

    def _rehearse(self, document: Object) -> None:
        resource = self._resource(document)
        force = ObjectId.of(document) in self._takeover  # as the apply, or it proves another thing
        self._cluster.apply(resource, document, account=self._account, dry_run=True, force=force)

    def _apply(self, document: Object, uids: dict[ObjectId, str]) -> None:
        found, resource = ObjectId.of(document), self._resource(document)
        try:
            written = self._cluster.apply(
                resource, document, account=self._account, force=found in self._takeover
            )
        except Failure as failure:
            self._live.changed(resource)
            if failure.reason is not Reason.API_UNAVAILABLE:
                raise
            written = self._read_back(resource, document, failure)
        else:
            self._live.wrote(resource, written)
        uids[found] = written["metadata"]["uid"]

    def _read_back(self, resource: Resource, document: Object, failure: Failure) -> dict[str, Any]:
        """The object, where the write took effect although its answer was lost; else the failure."""
        found = ObjectId.of(document)
        account = self._account if resource.is_secret else None
        live = self._cluster.get(resource, found.namespace, found.name, account=account)
        if live is None or differs(document, live, FIELD_MANAGER):
            raise failure
        return live

    def _await(self, objects: Sequence[Object]) -> list[Failure]:
        """Until namespaces are active and CRDs established: 0.06 s on an idle server."""
        end = time.monotonic() + _WAIT_SECONDS
        waiting = list(objects)
        while waiting:
            waiting = [each for each in waiting if not self._is_current(each)]
            if waiting and time.monotonic() > end:
                names = [identity(ObjectId.of(each)) for each in waiting]
                return [Failure(Reason.KIND_UNKNOWN, f"{names[0]} is not ready", objects=names)]
            if waiting:
                time.sleep(_POLL_SECONDS)
        return []

    def _is_current(self, document: Object) -> bool:
        found = ObjectId.of(document)
        live = self._cluster.get(self._resource(document), found.namespace, found.name)
        return live is not None and health(live).status is Status.CURRENT

    def _delete(self, entry: Entry) -> bool:
        resource = self._cluster.find(entry.id.group, entry.id.kind, entry.version)
        if resource is None or entry.uid is None:
            return True  # its kind is gone, and every object with it
        try:
            return self._cluster.delete(resource, entry.id, entry.uid, account=self._account)
        finally:
            self._live.changed(resource)


def gravest(failures: Sequence[Failure]) -> Failure:
    """One failure for all of them: the first permanent one, else the first; with every object."""
    first = next((f for f in failures if f.reason.kind is Kind.PERMANENT), failures[0])
    names = dict.fromkeys(name for f in failures for name in f.objects)
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return Failure(first.reason, first.message + more, objects=list(names))


def _kind(document: Object) -> tuple[str, str]:
    found = ObjectId.of(document)
    return found.group, found.kind
