"""Changes of manifests that were refused, as data: a count, a record on the metrics listener, a line."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagepass.cli.main import run
from stagepass.review import AdmissionRequest
from tests.core.objects import review
from tests.release.samples import CONFIG, DEPLOYMENT, altered
from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop
from tests.webhook.test_manifests import REQUIRED, released
from tests.webhook.test_metrics_listener import address, fetch, is_listening
from webhook.denials import inherit, keep, newest

__all__ = ["address"]

_KEPT = 100
_MARK = "zzmark"
_COMMAND = "spec.template.spec.containers[0].command"


@pytest.fixture
def server(tmp_path: Path, shop: Shop, address: str) -> Iterator[Server]:
    shop.write(shop.variant(REQUIRED))
    state = tmp_path / "state"
    state.mkdir()
    where = str(state)
    with Server(
        tmp_path, shop, workers=2, METRICS_BIND=address, STATE_DIR=where, DENIALS="yes"
    ) as running:
        wait_until(lambda: is_listening(address))
        yield running


def denials(address: str) -> list[dict[str, Any]]:
    status, text = fetch(address, "/denials")
    assert status == 200
    found: list[dict[str, Any]] = json.loads(text)["denials"]
    return found


def counted(address: str) -> list[str]:
    _, text = fetch(address)
    name = "stagepass_manifest_denials_total"
    return [line for line in text.splitlines() if line.startswith(name)]


def edit(document: dict[str, Any], **request: Any) -> dict[str, Any]:
    """A review of the object with another command, by somebody."""
    changed = altered(document, spec__template__spec__containers__0__command=["sh", _MARK])
    asked = review(changed, name="checkout", operation="UPDATE", oldObject=document, **request)
    asked["request"]["userInfo"] = {"username": "alice@example.com", "groups": []}
    return asked


def is_judged(server: Server, asked: dict[str, Any]) -> bool:
    """Whether a worker was there to do it."""
    try:
        return bool(server.judge(asked)["uid"])
    except OSError:
        return False


def test_a_denied_edit_is_a_count_a_record_and_a_line(server: Server, address: str) -> None:
    document, _ = released(server.shop)
    assert server.judge(review(document, name="checkout"))["allowed"]
    assert (denials(address), counted(address)) == ([], [])

    assert not server.judge(edit(document, uid="edit-1"))["allowed"]

    (record,) = denials(address)
    revision = server.get("/readyz").json["policyRevision"]
    (line,) = [each for each in server.log_lines("decision") if each["uid"] == "edit-1"]
    assert record.pop("time") <= line["time"]
    assert record == {
        "id": "edit-1",
        "user": "alice@example.com",
        "operation": "UPDATE",
        "object": "apps/Deployment/shop/checkout",
        "cluster": "staging",
        "fields": [
            {
                "pipeline": "shop",
                "stage": "staging",
                "code": "MANIFEST_DIFFERS",
                "path": _COMMAND,
            }
        ],
        "policy_revision": revision,
    }
    labels = 'kind="apps/Deployment",pipeline="shop",stage="staging"'
    assert counted(address) == [f"stagepass_manifest_denials_total{{{labels}}} 1.0"]
    assert line["user"] == "alice@example.com"


def test_a_journal_shows_who_tried_what(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, _ = released(server.shop)
    server.judge(review(document, name="checkout"))
    server.judge(create(server.shop.image(), namespace="canary"))
    server.judge(edit(document))
    asked = ["journal", "show", str(tmp_path / "state" / "journal"), "--denied"]

    assert run([*asked, "--code", "MANIFEST_DIFFERS"]) == 0
    (shown,) = capsys.readouterr().out.splitlines()
    assert run(asked) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run([*asked[:3], "--output", "json"]) == 0
    assert [json.loads(x)["allowed"] for x in capsys.readouterr().out.splitlines()] == [
        *(True, False, False)
    ]

    assert shown.split()[1:] == [
        *("denied", "UPDATE", "apps/Deployment/shop/checkout", "alice@example.com"),
        *("MANIFEST_DIFFERS", _COMMAND),
    ]


def test_a_line_that_was_altered_is_told_and_not_shown(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, _ = released(server.shop)
    server.judge(edit(document))
    journal = tmp_path / "state" / "journal"
    (file,) = journal.iterdir()
    file.write_text(file.read_text().replace("alice", "mallory"))

    assert run(["journal", "show", str(journal)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{file}:1: altered" in told.err


def test_no_value_of_an_object_is_kept(server: Server, address: str) -> None:
    released(server.shop)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token", "namespace": "shop"},
        "stringData": {"password": _MARK},
    }
    server.judge(review(secret, name="token"))
    server.judge(review(altered(CONFIG, data__colour=_MARK), name=CONFIG["metadata"]["name"]))

    found = denials(address)
    assert [each["object"] for each in found][1:] == ["/Secret/shop/token"]
    assert len(found) == 2
    assert _MARK not in json.dumps(found)


def test_what_only_warns_or_lacks_a_pass_is_no_denied_edit(
    tmp_path: Path, shop: Shop, address: str
) -> None:
    shop.write(shop.variant({**REQUIRED, "pipeline.stages.1.manifests": "warn"}))
    with Server(tmp_path, shop, METRICS_BIND=address, DENIALS="yes") as server:
        wait_until(lambda: is_listening(address))
        document, _ = released(shop)
        assert server.judge(edit(document))["allowed"]
        image = shop.image()
        changed = altered(document, spec__replicas=7)
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
        answer = server.judge(review(changed, name="checkout"))
        assert not answer["allowed"]
        assert "MANIFEST_DIFFERS" in answer["auditAnnotations"]["codes"]
        first, second = answer["status"]["message"].splitlines()[:2]

        assert first == "shop/staging does not admit " + image + (
            " (spec.template.spec.containers[0].image)"
        )
        assert second.startswith("PASS_MISSING")
        assert answer["status"]["details"]["causes"][0]["reason"] == "PASS_MISSING"
        assert (denials(address), counted(address)) == ([], [])


def test_the_newest_are_kept_whoever_was_asked_and_whichever_worker_died(
    server: Server, address: str
) -> None:
    document, _ = released(server.shop)
    for number in range(_KEPT + 20):
        server.judge(edit(document, uid=f"edit-{number}"))
    wanted = [f"edit-{number}" for number in range(_KEPT + 19, 19, -1)]
    assert [each["id"] for each in denials(address)] == wanted

    for pid in server.workers():
        if b"webhook.listener" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_judged(server, edit(document, uid="last")))

    wait_until(lambda: [each["id"] for each in denials(address)] == ["last", *wanted[:-1]])
    # The files of the dead are not there for ever.
    living = {f"denials-{pid}" for pid in (server.pid, *server.workers())}
    kept = server.directory / "tmp"
    wait_until(lambda: {path.name for path in kept.rglob("denials-*")} <= living)
    assert [*kept.rglob("denials-*")]


def test_text_without_end_takes_no_room_without_end(server: Server, address: str) -> None:
    """Who may write objects chooses names and fields: each record is short, and so are all."""
    document, _ = released(server.shop)
    for number in range(40):
        asked = edit(document, uid="u" * 100_000)
        asked["request"]["userInfo"]["username"] = "\u2028" * 100_000
        labels = {f"{'k' * 5000}{i}": "v" for i in range(50)}
        asked["request"]["object"]["metadata"]["labels"] = labels
        asked["request"]["object"]["metadata"]["annotations"] = labels
        assert not server.judge(asked)["allowed"], number

    status, text = fetch(address, "/denials")
    assert status == 200
    assert len(json.loads(text)["denials"]) == 40
    assert len(text) < 40 * 16_384


class TestTornLines:
    """A worker that was killed, or a disk that was full, left a record without its end."""

    @pytest.fixture(autouse=True)
    def directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        return tmp_path

    def test_the_next_record_of_the_process_stands_alone(self, directory: Path) -> None:
        kept("first")
        own = directory / f"denials-{os.getpid()}"
        own.write_bytes(own.read_bytes()[:-9])
        kept("second")
        kept("third")

        assert sorted(told()) == ["second", "third"]
        assert b"\n\n" not in own.read_bytes()

    def test_whoever_inherits_takes_whole_records(self, directory: Path) -> None:
        kept("first")
        whole = (directory / f"denials-{os.getpid()}").read_bytes()
        (directory / "denials-7").write_bytes(whole.replace(b"first", b"other") + whole[:40])
        inherit(7)
        kept("second")

        assert sorted(told()) == ["first", "other", "second"]
        assert [path.name for path in directory.iterdir()] == [f"denials-{os.getpid()}"]
        own = (directory / f"denials-{os.getpid()}").read_bytes()
        assert len(own.splitlines()) == 3


def kept(uid: str) -> None:
    """A record of this very process."""
    asked = AdmissionRequest.of(edit(DEPLOYMENT, uid=uid))
    keep(asked, "staging", "revision", ())


def told() -> list[str]:
    return [each["id"] for each in json.loads(newest())["denials"]]


def test_names_are_told_to_nobody_unless_somebody_says_so(
    tmp_path: Path, shop: Shop, address: str
) -> None:
    """Whoever reaches the metrics would else read who changed what."""
    shop.write(shop.variant(REQUIRED))
    with Server(tmp_path, shop, METRICS_BIND=address) as server:
        wait_until(lambda: is_listening(address))
        document, _ = released(shop)
        assert not server.judge(edit(document))["allowed"]
        status, text = fetch(address, "/denials")
        counts = counted(address)

    assert (status, len(counts)) == (404, 1)
    assert "STAGEPASS_DENIALS" in text
    assert "alice" not in text


def test_nobody_else_is_told(server: Server, address: str) -> None:
    """Who tried what is for the listener of the operators, never for the port that reviews come to."""
    assert server.get("/denials").status == 404
    assert fetch(address, "/denials/")[0] == 404
