"""What a step of an application works with, and how it reads and keeps what is known of one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from applier.application import Application
from applier.cluster import Cluster
from applier.goal import Chooser, Rendered
from applier.heartbeat import Heartbeats
from applier.inventory import Inventory
from applier.live import Live
from applier.mirroring import Mirroring
from applier.noting import Reporter
from applier.observing import observe
from applier.passes import Signer
from applier.repositories import Repositories
from applier.rules import Object
from applier.soaking import Soaks
from applier.state import State
from applier.store import StateStore
from stagepass.manifest import ObjectId


@dataclass(frozen=True, slots=True)
class Services:
    """One of each, for all applications."""

    cluster: Cluster
    live: Live
    store: StateStore
    soaks: Soaks
    repositories: Repositories
    heartbeats: Heartbeats
    chooser: Chooser
    signer: Signer
    reporter: Reporter
    mirroring: Mirroring

    def state(self, application: Application) -> State:
        """What is known of it."""
        return self.store.get(application.name)

    def put(self, application: Application, state: State) -> None:
        """Keep that, and by which rule it is applied. Raises `Failure`."""
        self.store.put(application.name, replace(state, apply=application.source.apply_rule))

    def observe(
        self, application: Application, target: Rendered, inventory: Inventory
    ) -> dict[ObjectId, Object]:
        """What is live of the target and of the inventory. Raises `Failure`."""
        account = application.source.account
        return observe(self.cluster, self.live, target.objects, inventory, account)
