"""
Fifty applications in one cluster, and how long their neighbours make them wait. Figures, no verdict.

Times run from the commit to the applier's own log line about the last of those that count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import yaml

from tests.applier_faults.site import API, Site, honest
from tests.cluster.delivery import config_map, deployment
from tests.simulators.proxy import PASS, Call, Fate

_COUNT = 50
_NAMES = [f"app-{number:02}" for number in range(_COUNT)]
_POISON = _NAMES[0]
_SLOW_SECONDS = 2.0


def measure(site: Site, tell: Callable[[str], None]) -> None:
    """All of the figures, one line each."""
    _write_policy(site)
    crowd = Crowd(site)
    crowd.commit()
    crowd.wait(_NAMES)
    others = _NAMES[1:]
    alone = [crowd.round(others) for _ in range(3)]
    tell(f"49 applications, nothing wrong            {_said(alone)}")
    for name, poison in _POISONS.items():
        crowd.poison = poison
        site.rule = _stall if name == "an API server that is slow to it" else honest
        tell(f"49 beside {name:34} {_said([crowd.round(others) for _ in range(3)])}")
        site.rule = honest
        crowd.poison = ""
        crowd.round(_NAMES)
    _behind(crowd, tell)


def _behind(crowd: Crowd, tell: Callable[[str], None]) -> None:
    """Behind versions that never get healthy: the same application's next, and somebody else's."""
    team, site = crowd.site.team, crowd.site
    site.kubelet.faults.slow.add("never")
    for name in _NAMES[:4]:
        crowd.more[name] = deployment(team.attest(team.image(f"{name}-never")), name)
    crowd.round(_NAMES)
    tell(f"an application behind four that wait      {_said([crowd.round([_NAMES[9]])])}")
    stuck = crowd.head
    crowd.more[_NAMES[0]] = deployment(team.attest(team.image("good")), _NAMES[0])
    tell(f"a good version behind one that is stuck   {_said([crowd.round([_NAMES[0]])])}")
    overtaken = [each["commit"] for each in site.state(f"{_NAMES[0]}.test")["superseded"]]
    tell(f"the stuck one is recorded as superseded   {stuck in overtaken}")


class Crowd:
    """The repository of all fifty. `poison` replaces the first one's objects, `more` adds to them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.poison = ""
        self.more: dict[str, str] = {}
        self.head = ""
        self._round = 0

    def commit(self) -> None:
        """A new version of every one of them."""
        self._round += 1
        files = {f"{name}/all.yaml": self._objects(name) for name in _NAMES}
        self.head = self.site.team.commit(files, f"round {self._round}")

    def round(self, names: Iterable[str]) -> float:
        """Commit, and wait for those; the seconds until the last of them was applied."""
        started = time.time()
        self.commit()
        self.wait(names)
        lines = self._lines()
        return max(datetime.fromisoformat(lines[n]["time"]).timestamp() for n in names) - started

    def wait(self, names: Iterable[str]) -> None:
        """Until the newest commit of each is applied."""
        wanted = set(names)
        self.site.delivery.wait(lambda: wanted <= self._lines().keys(), 120)

    def _objects(self, name: str) -> str:
        if name == _POISON and self.poison:
            return self.poison
        text = config_map(name, round=str(self._round)) + self.more.get(name, "")
        return text + "".join(config_map(f"{name}-{number}", a="b") for number in range(4))

    def _lines(self) -> dict[str, dict[str, Any]]:
        """By application, the first line that says the newest commit is applied."""
        found: dict[str, dict[str, Any]] = {}
        for event in self.site.delivery.events():
            if event.get("event") == "application" and event.get("applied") == self.head:
                found.setdefault(event["name"].removesuffix(".test"), event)
        return found


_INVALID = """\
apiVersion: v1
kind: Service
metadata: {name: app-00, namespace: shop}
spec: {ports: [{port: 99999999}]}
"""
_POISONS = {
    "one whose YAML does not parse": "a: [\n",
    "one that the API server refuses": _INVALID,
    "an API server that is slow to it": "".join(
        config_map(f"{_POISON}-slow-{number}", at="x") for number in range(20)
    ),
}


def _stall(door: str, call: Call) -> Fate:
    """Every write of the poison takes two seconds."""
    if door == API and call.method == "PATCH" and f"/{_POISON}-slow-" in call.path:
        time.sleep(_SLOW_SECONDS)
    return PASS


def _write_policy(site: Site) -> None:
    """A pipeline with one stage for each; the images of each are its own."""
    site.team.write_policy()
    path = site.team.policy / "policy.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    sample = next(each for each in documents if each["kind"] == "Pipeline")
    rest = [each for each in documents if each["kind"] != "Pipeline"]
    pipelines = [_pipeline(sample, name) for name in _NAMES]
    path.write_text(yaml.safe_dump_all([*rest, *pipelines]))


def _pipeline(sample: dict[str, Any], name: str) -> dict[str, Any]:
    first = sample["stages"][0]
    host = sample["images"][0].partition("/")[0]
    stage = {**first, "source": {**first["source"], "path": name, "root": name}}
    images = [f"{host}/shop/{name}-*"] + ([f"{host}/shop/good"] if name == _POISON else [])
    return {**sample, "metadata": {"name": name}, "images": images, "stages": [stage]}


def _said(seconds: list[float]) -> str:
    return "  ".join(f"{each:5.2f} s" for each in seconds)
