"""Every attack of the table at the core: nothing but what a release says is admitted."""

from __future__ import annotations

import pytest

from tests.manifests_attacks import made
from tests.manifests_attacks.evidence import Trick
from tests.manifests_attacks.objects import Object, release_a, release_b
from tests.manifests_attacks.row import ADMITTED, Attack
from tests.manifests_attacks.site import Site, said
from tests.manifests_attacks.table import ROWS, TRICKS
from tests.manifests_attacks.tried import at_core, played

GROUPS = sorted({row.name.partition(":")[0] for row in ROWS})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize(
    "document", [*release_a("gate-2"), *release_b("gate-2")], ids=lambda d: d["kind"]
)
def test_what_was_released_is_admitted(site: Site, document: Object) -> None:
    """Else every row below would be refused for nothing."""
    assert said(site.judge(document)) == ADMITTED


@pytest.mark.parametrize("group", GROUPS)
def test_what_was_not_is_refused(site: Site, group: str) -> None:
    rows = [row for row in ROWS if row.name.partition(":")[0] == group]
    tried = list(at_core(site, rows))

    assert [(r.name, str(verb), got) for r, verb, got in tried if got != r.expected] == []


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.name)
def test_a_release_that_is_none_admits_nothing(trick: Trick) -> None:
    assert played(trick) == trick.expected


def test_what_is_admitted_says_why() -> None:
    rows: list[Attack | Trick] = [*ROWS, *TRICKS]
    controls = {trick.name for trick in TRICKS if trick.name.endswith("control")}
    silent = [
        row.name
        for row in rows
        if row.expected == ADMITTED and not row.why and row.name not in controls
    ]

    assert silent == []
    assert len({(row.name, verb) for row in ROWS for verb in row.verbs}) == sum(
        len(row.verbs) for row in ROWS
    )
    assert len(made.CONTROLS) == 5
