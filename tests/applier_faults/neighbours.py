"""Applications beside `shop` that come from repositories of their own, and how long one of them takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import yaml

from tests.applier_faults.model import told
from tests.applier_faults.site import Site
from tests.cluster.delivery import config_map
from tests.simulators.git import GitServer

_NAME = "side"


class Neighbour:
    """The application `side.test`, whose server nothing ever happens to."""

    def __init__(self, site: Site, server: GitServer) -> None:
        self._site, self._repository = site, server.create(_NAME)
        self._round = 0

    def deliver(self) -> float:
        """The seconds from a commit until it is applied."""
        self._round += 1
        text = config_map(_NAME, round=str(self._round))
        started = time.monotonic()
        commit = self._repository.commit("main", {"all.yaml": text.encode()})
        wanted = {"applied": commit}.items()
        self._site.delivery.wait(lambda: wanted <= told(self._site, f"{_NAME}.test").items(), 90)
        return time.monotonic() - started


@contextmanager
def neighbour(site: Site, others: Mapping[str, str] | None = None) -> Iterator[Neighbour]:
    """Beside it, `others`: by pipeline, the URL of its repository. Policy is as before after the block."""
    folder = site.directory / f"git-{time.monotonic_ns()}"
    folder.mkdir()
    with GitServer(folder) as server:
        beside = Neighbour(site, server)
        _write_policy(site, {_NAME: server.url(_NAME), **(others or {})})
        beside.deliver()
        try:
            yield beside
        finally:
            site.team.write_policy()


def said(seconds: list[float]) -> str:
    """The slowest of them."""
    return f"neighbours {max(seconds):.1f} s at most"


def _write_policy(site: Site, sources: Mapping[str, str]) -> None:
    """A pipeline with one stage for each, like the first of the pipeline that is there."""
    site.team.write_policy()
    path = site.team.policy / "policy.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    sample = next(each for each in documents if each["kind"] == "Pipeline")
    first = sample["stages"][0]
    for name, url in sources.items():
        stage = {**first, "source": {**first["source"], "git": url, "path": "."}}
        images = [f"{site.team.host}/{name}/**"]
        documents.append(
            {**sample, "metadata": {"name": name}, "images": images, "stages": [stage]}
        )
    path.write_text(yaml.safe_dump_all(documents))
