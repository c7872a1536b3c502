"""Every fault by its name, and the cluster that they happen to, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.applier_faults.evidence import answers_lost, registry_down
from tests.applier_faults.letters import letters_killed
from tests.applier_faults.model import Versions, await_passed, settle
from tests.applier_faults.result import Result
from tests.applier_faults.site import Site
from tests.applier_faults.sources import git_hangs, git_in_trouble
from tests.applier_faults.writes import Fault, a_tenth_of_the_writes, api_server_killed

FAULTS: dict[str, Fault] = {
    "api-server": api_server_killed,
    "writes": a_tenth_of_the_writes,
    "git": git_in_trouble,
    "git-hangs": git_hangs,
    "registry": registry_down,
    "answers": answers_lost,
    "dead-letters": letters_killed,
}


def run(
    names: Sequence[str], *, quick: bool = False, tell: Callable[[Result], object] = lambda _: None
) -> list[Result]:
    """What came of each; `tell` hears of it at once."""
    results = []
    with tempfile.TemporaryDirectory(prefix="fault-") as folder, Site(Path(folder)) as site:
        versions = Versions(site)
        wanted = versions.new()
        await_passed(site, versions.commit(wanted))
        settle(site, wanted)
        for name in names:
            for result in FAULTS[name](site, versions, quick):
                results.append(result)
                tell(result)
    return results
