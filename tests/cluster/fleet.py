"""
Several clusters that share nothing but Git and a registry: in each a gate and an applier.

Every stage takes signed releases and nothing else (`tests.cluster.ci` makes them). Three real API
servers on one etcd; Pods become ready by the kubelet's stand-in.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import Delivery, Team
from tests.cluster.gate import Gate
from tests.cluster.released import require
from tests.simulators.git import GitServer
from tests.simulators.kubelet import Kubelet
from tests.simulators.registry import Registry

STAGES = ("test", "staging", "production")


def _silent(_: str) -> None:
    """Tell nobody."""


class Fleet:
    """A context manager; `tell` hears of each part as it is started."""

    def __init__(self, directory: Path, tell: Callable[[str], None] = _silent) -> None:
        self.directory, self._tell = directory, tell
        self._running = ExitStack()
        self.team: Team
        self.deliveries: dict[str, Delivery] = {}
        self.kubelets: dict[str, Kubelet] = {}
        self.gates: dict[str, Gate] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _start(self, stack: ExitStack) -> None:
        self._tell("a Git server over smart HTTP, and a registry")
        git = stack.enter_context(GitServer(self._folder("git")))
        registry = stack.enter_context(Registry(record=False))
        self.team = Team(self._folder("team"), git, STAGES, registry)
        self.team.write_policy(self._take_releases)
        first: ControlPlane | None = None
        for stage in STAGES:
            self._tell(f"cluster {stage}: kube-apiserver, controllers, gate and applier")
            plane = ControlPlane(self._folder(stage), neighbour=first)
            cluster = stack.enter_context(plane)
            first = first or cluster
            kubelet = Kubelet(cluster.server, cluster.token, cluster.ca_file)
            self.kubelets[stage] = stack.enter_context(kubelet)
            gate = Gate(cluster, self.team, self._folder(f"{stage}-gate"), "registry", stage)
            self.gates[stage] = stack.enter_context(gate)
            delivery = Delivery(self.team, stage, cluster, self._folder(f"{stage}-applier"))
            self.deliveries[stage] = stack.enter_context(delivery)

    def _take_releases(self, stages: list[dict[str, Any]]) -> None:
        require(stages, repository=f"{self.team.host}/shop/releases")

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir()
        return folder
