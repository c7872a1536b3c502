"""Every row tried, at the core and at a real API server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.manifests_attacks.apiserver import ApiServer
from tests.manifests_attacks.evidence import Trick
from tests.manifests_attacks.row import Attack, Verb
from tests.manifests_attacks.site import Site, said


def at_core(site: Site, rows: Iterable[Attack]) -> Iterator[tuple[Attack, Verb, str]]:
    """What `judge_object` says of each row, and each way to send it."""
    verifier = site.verifier()
    for row in rows:
        for verb in row.verbs:
            where = site.applied if verb is Verb.UPDATE else site.empty

            def find(kind: str, name: str, where: str = where) -> dict[str, object]:
                return site.attested(kind, name, where)

            old = find(*row.base) if verb is Verb.UPDATE else None
            yield row, verb, said(site.judge(row.make(find), old, verifier=verifier))


def at_api(server: ApiServer, rows: Iterable[Attack]) -> Iterator[tuple[Attack, Verb, str]]:
    """The same at a real API server that asks a real gate."""
    for row in rows:
        for verb in row.verbs:
            yield row, verb, server.answer(row, verb)


def played(trick: Trick) -> str:
    """What comes of a row about evidence, on a site of its own."""
    with tempfile.TemporaryDirectory() as directory:
        return trick.play(Site(Path(directory)))
