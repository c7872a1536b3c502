"""
One cluster with an applier that reaches everything it writes to through proxies.

The API server, the registry and the Git server are real or honest; what happens to a call is what the
`rule` of the moment says.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.cluster.controlplane import ControlPlane
from tests.cluster.delivery import Delivery, Team
from tests.cluster.released import require
from tests.simulators.git import GitServer
from tests.simulators.kubelet import Kubelet
from tests.simulators.proxy import PASS, Call, Fate, Proxy
from tests.simulators.registry import Registry

API, REGISTRY, GIT = "API", "registry", "git"
Rule = Callable[[str, Call], Fate]
"""(API | REGISTRY | GIT, call) -> what becomes of it."""


def honest(_door: str, _call: Call) -> Fate:
    """Nothing goes wrong."""
    return PASS


class Site:
    """
    A context manager: stages test and staging, of which the cluster is test.

    `released`: manifests are required, and the applier brings evidence into the cluster.
    """

    def __init__(self, directory: Path, *, released: bool = False) -> None:
        self.directory, self.released = directory, released
        self.rule: Rule = honest
        self._running = ExitStack()
        self.cluster: ControlPlane
        self.registry: Registry
        self.git: GitServer
        self.kubelet: Kubelet
        self.team: Team
        self.delivery: Delivery

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def _start(self, stack: ExitStack) -> None:
        self.git = stack.enter_context(GitServer(self._folder("git")))
        self.registry = stack.enter_context(Registry(record=False))
        self.cluster = stack.enter_context(ControlPlane(self._folder("cluster")))
        here = self.cluster.directory
        api = Proxy(
            self.cluster.server,
            lambda call: self.rule(API, call),
            ca_file=self.cluster.ca_file,
            certificate=(here / "api.crt", here / "api.key"),
        )
        stack.enter_context(api)
        registry = Proxy(self.registry.url, lambda call: self.rule(REGISTRY, call))
        self.registry.host = stack.enter_context(registry).host
        git = Proxy(self.git.base, lambda call: self.rule(GIT, call))
        self.git.base = stack.enter_context(git).url
        kubelet = Kubelet(self.cluster.server, self.cluster.token, self.cluster.ca_file)
        self.kubelet = stack.enter_context(kubelet)
        self.team = Team(self._folder("team"), self.git, ("test", "staging"), self.registry)
        self.delivery = Delivery(self.team, "test", self.cluster, self._folder("applier"))
        self.delivery.kubeconfig = self._kubeconfig(api.url)
        if self.released:
            where = f"{self.registry.host}/shop/releases"
            self.team.write_policy(lambda stages: require(stages, repository=where))
            self.cluster.kubectl("create", "namespace", "stagepass-system")
            self.delivery.more["MIRROR"] = "yes"
        stack.enter_context(self.delivery)

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir()
        return folder

    def _kubeconfig(self, server: str) -> Path:
        """As the administrator's, by way of the proxy."""
        directory = self._folder("kubeconfig")
        shutil.copy(self.cluster.ca_file, directory)
        document = json.loads((self.cluster.directory / "kubeconfig").read_text())
        for each in document["clusters"]:
            each["cluster"]["server"] = server
        path = directory / "kubeconfig"
        path.touch(0o600)
        path.write_text(json.dumps(document))
        return path

    def restart(self, **more: str) -> None:
        """Kill the applier and start it with `more` settings than usual."""
        self.delivery.kill()
        self.delivery.more = more
        self.delivery.start()

    def state(self, application: str = "shop.test") -> dict[str, Any]:
        """What the applier wrote down about an application; {} where it never did."""
        selector = "stagepass.dev/record=application"
        listed = self.cluster.kubectl(
            *("-n", "stagepass-applier", "get", "configmaps", "-l", selector, "-o", "json")
        )
        for item in json.loads(listed.stdout)["items"]:
            if item["metadata"]["annotations"]["stagepass.dev/application"] == application:
                found: dict[str, Any] = json.loads(item["data"]["state.json"])
                return found
        return {}

    def live(self, *kinds: str, application: str = "shop.test") -> dict[str, dict[str, Any]]:
        """Every object of those kinds with the application's label, as `Kind/name`."""
        label = f"stagepass.dev/application={application}"
        listed = self.cluster.kubectl(*("get", ",".join(kinds), "-A", "-l", label, "-o", "json"))
        items = json.loads(listed.stdout)["items"]
        return {f"{item['kind']}/{item['metadata']['name']}": item for item in items}
