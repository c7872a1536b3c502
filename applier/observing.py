"""Every live object that an application wants or owns, in as few requests as can be."""

from __future__ import annotations

from collections.abc import Sequence

from applier.cluster import Cluster, Resource
from applier.failure import Failure, Reason
from applier.inventory import Inventory
from applier.live import Live
from applier.rules import Object
from stagepass.manifest import ObjectId
from stagepass.policy.source import ServiceAccount


def observe(
    cluster: Cluster,
    live: Live,
    objects: Sequence[Object],
    inventory: Inventory,
    account: ServiceAccount,
) -> dict[ObjectId, Object]:
    """
    The live ones among `objects` and the entries of `inventory`; what is missing does not exist.

    One LIST a kind by our label, and one for each kind and namespace in which something was not found
    by it: what somebody else made, or relabelled, must not be taken for absent. Raises `Failure`.
    """
    resources = _resources(cluster, objects, inventory)
    namespaces = sorted({wanted.namespace for wanted in resources})
    owned: dict[ObjectId, Object] = {}
    for resource in set(resources.values()):
        owned |= live.owned(resource, namespaces, account)
    found = {wanted: owned[wanted] for wanted in resources if wanted in owned}
    missing = resources.keys() - found.keys()
    for resource, namespace in {(resources[wanted], wanted.namespace) for wanted in missing}:
        every = live.all(resource, namespace, account)
        found |= {wanted: every[wanted] for wanted in missing if wanted in every}
    wanted_now = set(map(ObjectId.of, objects))
    for lost in sorted(resources.keys() - found.keys() - wanted_now):
        # What is taken for gone leaves the inventory for good: a list may lag, a GET does not.
        resource = resources[lost]
        as_account = account if resource.is_secret else None
        there = cluster.get(resource, lost.namespace, lost.name, account=as_account)
        found |= {lost: there} if there else {}
    return found


def _resources(
    cluster: Cluster, objects: Sequence[Object], inventory: Inventory
) -> dict[ObjectId, Resource]:
    """How each is served; those of a kind that is not served (yet, or any more) do not exist."""
    found: dict[ObjectId, Resource] = {}
    for document in objects:
        try:
            found[ObjectId.of(document)] = cluster.resource(
                document["apiVersion"], document["kind"]
            )
        except Failure as failure:
            if failure.reason is not Reason.KIND_UNKNOWN:
                raise
    for entry in inventory:
        if entry.id not in found:
            resource = cluster.find(entry.id.group, entry.id.kind, entry.version)
            if resource is not None:
                found[entry.id] = resource
    return found
