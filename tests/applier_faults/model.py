"""
What must be there once nothing moves any more, and what is there: in the API server and the registry.

What the applier says of itself counts for one thing only: which objects it takes for its own.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass

from tests.applier_faults.site import Site
from tests.cluster.delivery import config_map, deployment
from tests.cluster.released import release

_KINDS = ("deployments", "configmaps", "services")
_EVIDENCE = ("stage-passed", "stage-entered", "provenance")
_SETTLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One version: a Deployment, `size` ConfigMaps that stay, and two that are new in each round."""

    image: str
    round: int
    size: int

    def text(self) -> str:
        """As it stands in Git."""
        text = deployment(self.image) + config_map("settings", round=str(self.round))
        text += "".join(config_map(f"base-{i}", x="y") for i in range(self.size))
        return text + config_map(f"only-in-{self.round}", x="y")

    def names(self) -> set[str]:
        """Every object as `Kind/name`."""
        base = {f"ConfigMap/base-{i}" for i in range(self.size)}
        return {"Deployment/web", "ConfigMap/settings", f"ConfigMap/only-in-{self.round}"} | base


@dataclass(frozen=True, slots=True)
class Found:
    """How it differs; all empty and zero where it does not."""

    wrong: tuple[str, ...] = ()
    orphans: int = 0
    doubled: int = 0


class Versions:
    """
    One after the other in one cluster: each creates, updates and prunes with respect to the last.

    `size` is how many of the objects stay: with more, the next version creates some.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._round = 0
        self.size = 3

    def new(self) -> Wanted:
        """The next, attested by CI, who writes to the registry by the same door as the applier."""
        self._round += 1
        team = self._site.team
        wanted = Wanted(team.attest(team.image()), self._round, self.size)
        if self._site.released:
            release(team, wanted.text(), f"{self._round:08x}".ljust(40, "0"))
        return wanted

    def commit(self, wanted: Wanted) -> str:
        """For every stage; the commit."""
        text = wanted.text()
        return self._site.team.commit({f"{s}/all.yaml": text for s in self._site.team.stages})


def is_passed(site: Site, commit: str, application: str = "shop.test") -> bool:
    """By the newest line of the application in the log."""
    return told(site, application).get("passed") == commit


def await_passed(site: Site, commit: str, seconds: float = 120.0) -> None:
    """Until it is, in a process that lives; fails with the log."""
    site.delivery.wait(lambda: is_passed(site, commit), seconds)


def await_applied(site: Site, commit: str, seconds: float = 120.0) -> None:
    """The same of what is applied."""
    site.delivery.wait(lambda: told(site, "shop.test").get("applied") == commit, seconds)


def told(site: Site, application: str) -> dict[str, object]:
    """The newest line about it, {} before the first."""
    events = site.delivery.events()
    lines = (e for e in events if e["event"] == "application" and e["name"] == application)
    return {key: value for line in lines for key, value in line.items()}


def settle(site: Site, wanted: Wanted, *, with_trouble: bool = False) -> Found:
    """The difference once nothing moves; a foreground deletion takes a moment."""
    end = time.monotonic() + _SETTLE_SECONDS
    while (found := _look(site, wanted, with_trouble)) != Found() and time.monotonic() < end:
        time.sleep(0.2)
    return found


def evidence(site: Site, image: str) -> Counter[str]:
    """How many statements of each kind lie beside the image."""
    listed = site.team.stagepass("evidence", "ls", image, "--evidence", "registry")
    return Counter(name for line in listed.splitlines() for name in _EVIDENCE if name in line)


def doubled(listed: Counter[str]) -> int:
    """How many of them are one too many."""
    return sum(count - 1 for count in listed.values())


def _look(site: Site, wanted: Wanted, with_trouble: bool) -> Found:
    live, state, wrong = site.live(*_KINDS), site.state(), []
    names = wanted.names()
    if live.keys() != names:
        wrong.append(f"live {sorted(live)}")
    uids = {name: item["metadata"]["uid"] for name, item in live.items()}
    entries = json.loads(state["inventory"])["entries"]
    owned = {f"{e['kind']}/{e['name']}": e["uid"] for e in entries}
    if owned != uids:
        wrong.append(f"inventory {owned}, live {uids}")
    data = live.get("ConfigMap/settings", {}).get("data")
    if data != {"round": str(wanted.round)}:
        wrong.append(f"settings {data}")
    if state["trouble"] is not None and not with_trouble:
        wrong.append(f"trouble {state['trouble']['reason']}")
    listed = evidence(site, wanted.image)
    if listed != dict.fromkeys(_EVIDENCE, 1):
        wrong.append(f"evidence {dict(listed)}")
    return Found(tuple(wrong), len(live.keys() - (names & owned.keys())), doubled(listed))
