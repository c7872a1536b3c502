"""The decision journal of a running gate."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stagepass.cli.main import run
from stagepass.journal import check, files
from tests.webhook.reviews import create
from tests.webhook.server import Server
from tests.webhook.shop import Shop


def test_every_decision_of_every_worker_stands_in_a_chain(tmp_path: Path, shop: Shop) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with (
        Server(tmp_path, shop, workers=2, STATE_DIR=str(state)) as server,
        ThreadPoolExecutor(4) as p,
    ):
        asked = [create(shop.passed()) for _ in range(10)] + [
            create(shop.image()) for _ in range(10)
        ]
        answers = list(p.map(server.judge, asked))
        logged = server.log_lines("decision")
    reports = [check(path) for path in files(state / "journal")]
    lines = [json.loads(line) for r in reports for line in r.path.read_text().splitlines()]

    assert run(["journal", "verify", str(state / "journal")]) == 0
    assert {(line["uid"], line["allowed"]) for line in lines} == {
        (answer["uid"], answer["allowed"]) for answer in answers
    }
    # The log, which is kept elsewhere, holds the hash of every line.
    assert {line["journal"] for line in logged} == {line["hash"] for line in lines}


def test_a_journal_that_cannot_be_written_changes_no_verdict(tmp_path: Path, shop: Shop) -> None:
    """It is counted, and told once for as long as it lasts; then the journal says what it lost."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal").write_text("no directory")
    with Server(tmp_path, shop, STATE_DIR=str(state)) as server:
        assert server.judge(create(shop.passed()))["allowed"] is True
        assert server.judge(create(shop.image()))["status"]["code"] == 403
        assert len(server.log_lines("journal.failed")) == 1
        assert "journal" not in server.log_lines("decision")[0]
        counted = server.get("/metrics").body
        assert b"stagepass_journal_failures_total 2.0" in counted

        (state / "journal").unlink()
        assert server.judge(create(shop.passed()))["allowed"] is True
        assert len(server.log_lines("journal.works")) == 1
    (path,) = files(state / "journal")

    assert json.loads(path.read_text())["lost"] == 2


def test_without_a_state_directory_there_is_none(tmp_path: Path, shop: Shop) -> None:
    with Server(tmp_path, shop) as server:
        server.judge(create(shop.passed()))

        assert "journal" not in server.log_lines("decision")[0]
