"""What operators count by and read afterwards: metrics, and one log line for each decision."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.parser import text_string_to_metric_families

from stagepass.decision import Code
from stagepass.policy.store import read_directory, revision_of
from tests.webhook.reviews import containers, create, pod_spec, review, workload
from tests.webhook.server import ROOT, Server, wait_until
from tests.webhook.shop import HOST, Shop
from webhook import metrics

Labels = tuple[tuple[str, str], ...]

_FIELDS = {
    *(
        "time",
        "level",
        "event",
        "uid",
        "user",
        "operation",
        "object",
        "cluster",
        "places",
        "answer",
    ),
    *(
        "enforcement",
        "allowed",
        "violations",
        "notes",
        "notices",
        "evidence",
        "releases",
        "policy_revision",
        "took_ms",
    ),
}
_KINDS = (Counter, Gauge, Histogram)
_DOCUMENT = ROOT / "docs" / "metrics.md"
_LABELS = {
    "place": re.compile(r"shop/(test|staging|production|preview|watched|canary)|unlisted"),
    "answer": re.compile("admitted|denied|undetermined"),
    "allowed": re.compile("true|false"),
    "code": re.compile("|".join(Code)),
    "status": re.compile("400|413"),
    "temperature": re.compile("warm|cold"),
    "revision": re.compile("[0-9a-f]{64}"),
    "result": re.compile("loaded|refused"),
    "le": re.compile(r"[0-9.e-]+|\+Inf"),
}


@pytest.fixture
def server(tmp_path: Path, shop: Shop) -> Iterator[Server]:
    """One of two workers that nobody has asked anything."""
    with Server(tmp_path, shop, workers=2) as running:
        yield running


def _metrics(server: Server) -> dict[tuple[str, Labels], float]:
    text = server.get("/metrics").body.decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _decisions(place: str, answer: str, allowed: str) -> tuple[str, Labels]:
    labels = (("allowed", allowed), ("answer", answer), ("place", place))
    return "stagepass_decisions_total", labels


def _timed(server: Server, temperature: str) -> float:
    labels = (("temperature", temperature),)
    return _metrics(server)["stagepass_decision_seconds_count", labels]


def test_what_memory_answers_is_timed_apart(tmp_path: Path, shop: Shop) -> None:
    """A cold answer takes a hundred times as long; one histogram of both tells of neither."""
    image, bare = shop.passed(), shop.image()
    with Server(tmp_path, shop) as server:

        def timed(asked: dict[str, object]) -> tuple[float, float]:
            before = _timed(server, "warm"), _timed(server, "cold")
            server.judge(asked)
            return _timed(server, "warm") - before[0], _timed(server, "cold") - before[1]

        assert timed(create(image)) == (0, 1)
        assert timed(create(image)) == (1, 0)
        assert timed(create(image, kind="Deployment")) == (1, 0)
        assert [timed(create(bare)) for _ in range(2)] == [(0, 1)] * 2, "a denial is not kept"
        assert timed(create(bare, operation="DELETE")) == (1, 0)
        assert timed(create("shop/web:latest")) == (1, 0)


def test_the_revision_that_each_worker_judges_by_is_told(tmp_path: Path, shop: Shop) -> None:
    """By that, and not by one `/readyz`, a roll-out of a policy has ended; no old one is kept."""
    with Server(tmp_path, shop, workers=2, POLICY_POLL="0.05") as server:

        def told() -> dict[str, float]:
            return {
                dict(labels)["revision"]: value
                for (name, labels), value in _metrics(server).items()
                if name == "stagepass_policy_workers"
            }

        first = server.get("/readyz").json["policyRevision"]
        assert told() == {first: 2}
        shop.write(shop.variant({"defaults.unlisted": "warn"}))
        second = revision_of(read_directory(shop.policy))
        wait_until(lambda: told() == {second: 2})

        os.kill(server.workers()[0], signal.SIGKILL)
        wait_until(lambda: len(server.log_lines("policy.loaded")) == 5)
        wait_until(lambda: told() == {second: 2})


def test_counts_add_up_over_the_workers(server: Server) -> None:
    """Whichever worker is asked, and however its connections were spread."""
    shop = server.shop
    asked = [
        *(create(shop.passed()) for _ in range(30)),
        *(create(shop.image()) for _ in range(20)),
        *(create(shop.image(), namespace="preview") for _ in range(10)),
        *(create(shop.image(), namespace="nowhere") for _ in range(5)),
        *(review(workload({"containers": []})) for _ in range(5)),
    ]
    with ThreadPoolExecutor(4) as pool:
        assert {answer.status for answer in pool.map(server.review, asked)} == {200}
        assert {answer.status for answer in pool.map(server.review, [b"{}"] * 7)} == {400}

    for _ in range(10):
        counted = _metrics(server)
        assert counted[_decisions("shop/staging", "admitted", "true")] == 30
        assert counted[_decisions("shop/staging", "denied", "false")] == 20
        assert counted[_decisions("shop/preview", "denied", "true")] == 10
        assert counted[_decisions("unlisted", "denied", "false")] == 5
        undetermined = [
            value
            for (name, labels), value in counted.items()
            if name == "stagepass_decisions_total" and ("answer", "undetermined") in labels
        ]
        assert sum(undetermined) == 5
        codes = ("PASS_MISSING", 30), ("UNLISTED", 5), ("OBJECT_INVALID", 5)
        for code, count in codes:
            assert counted["stagepass_violations_total", (("code", code),)] == count
        assert counted["stagepass_refused_requests_total", (("status", "400"),)] == 7
        assert sum(_timed(server, kind) for kind in ("warm", "cold")) == len(asked)
        assert counted["stagepass_policy_loads_total", (("result", "loaded"),)] == 2
        assert counted["stagepass_policy_broken", ()] == 0


def test_every_decision_of_both_workers_has_one_line(server: Server) -> None:
    asked = [create(server.shop.image(), uid=f"u-{index}") for index in range(100)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(server.judge, asked))

    lines = server.log_lines("decision")
    assert sorted(line["uid"] for line in lines) == sorted(f"u-{i}" for i in range(100))


def test_no_label_holds_what_a_request_chose(shared: Server) -> None:
    """A label that a request could choose is memory without end, in every Prometheus."""
    mark = "zzmark"
    shared.judge(create(f"{HOST}/shop/{mark}:{mark}", namespace=mark, uid=mark, name=mark))
    shared.judge(create(f"{HOST}/shop/{mark}", operation="UPDATE"))
    named = [{"name": mark, "image": f"{mark}.example/{mark}"}]
    shared.judge(review({**workload(pod_spec()), "spec": {"containers": named}}))
    shared.judge(review({"apiVersion": f"{mark}/v1", "kind": mark}))
    shared.review({"apiVersion": mark, mark: mark})
    shared.request("POST", f"/validate?timeout={mark}&{mark}={mark}", b"{}")
    shared.request(mark.upper(), f"/{mark}", b"", {mark: mark, "User-Agent": mark})

    assert mark not in shared.get("/metrics").body.decode().lower()


def test_every_label_is_one_of_a_closed_list(shared: Server) -> None:
    shared.judge(create(shared.shop.image()))
    shared.judge(create("", namespace="nowhere"))
    shared.review(b"")

    values = {pair for _, labels in _metrics(shared) for pair in labels}

    assert {name for name, _ in values} <= _LABELS.keys()
    assert [pair for pair in sorted(values) if not _LABELS[pair[0]].fullmatch(pair[1])] == []


def test_every_metric_is_documented_with_its_labels(shared: Server) -> None:
    shared.judge(create(shared.shop.image()))
    shared.judge(create(shared.shop.image(), operation="DELETE"))
    rows = re.findall(r"^\| `(stagepass_\w+)` \| (.*?) \|", _DOCUMENT.read_text(), re.MULTILINE)
    documented = {name: set(re.findall(r"(?:^|, )`(\w+)`", labels)) for name, labels in rows}
    families = list(text_string_to_metric_families(shared.get("/metrics").body.decode()))
    # Without a sample, which not every metric has here, it is not in the text.
    defined = [d for m in vars(metrics).values() if isinstance(m, _KINDS) for d in m.describe()]

    assert {_documented_name(family) for family in [*families, *defined]} == documented.keys()
    for family in families:
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        assert labels <= documented[_documented_name(family)], family.name


def _documented_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_the_line_of_a_decision_has_the_documented_fields(shared: Server) -> None:
    image, bare = shared.shop.passed(), shared.shop.image()
    shared.judge(create(image, uid="log-1"))
    shared.judge(create(image, bare, kind="CronJob", namespace="preview", uid="log-2"))

    lines = {line["uid"]: line for line in shared.log_lines("decision")}
    admitted, denied = lines["log-1"], lines["log-2"]
    revision = shared.get("/readyz").json["policyRevision"]
    assert admitted.keys() == denied.keys() == _FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", admitted["time"])
    assert admitted["took_ms"] >= 0
    known = {name: admitted[name] for name in _FIELDS - {"time", "took_ms", "evidence"}}
    assert known == {
        "level": "info",
        "event": "decision",
        "uid": "log-1",
        "user": "alice",
        "operation": "CREATE",
        "object": "/Pod/shop/web",
        "cluster": "staging",
        "places": ["shop/staging"],
        "answer": "admitted",
        "enforcement": "enforce",
        "allowed": True,
        "violations": [],
        "notes": [],
        "notices": [],
        "releases": [],
        "policy_revision": revision,
    }
    assert [len(each) for each in admitted["evidence"]] == [len("sha256:") + 64]
    assert (denied["object"], denied["places"]) == ("batch/CronJob/preview/web", ["shop/preview"])
    assert (denied["answer"], denied["enforcement"], denied["allowed"]) == ("denied", "warn", True)
    field = "spec.jobTemplate.spec.template.spec.containers[1].image"
    assert denied["violations"] == [f"PASS_MISSING {field} {bare}"]


def test_no_text_from_a_request_begins_a_line_of_the_log(shared: Server) -> None:
    """`log_lines` decodes every line there is, so a torn or forged one would fail."""
    forged = '\r\n\u2028{"event": "decision", "uid": "forged", "allowed": true}\n'
    spec = {"containers": [*containers(forged), {"name": forged, "image": f"{forged}@{forged}"}]}
    response = shared.judge(review(workload(spec), uid=forged, name=forged, namespace=forged))

    assert response["uid"] == forged
    uids = [line["uid"] for line in shared.log_lines("decision")]
    assert uids.count(forged) == 1
    assert "forged" not in uids


def test_a_megabyte_of_image_makes_a_line_that_can_be_read(shared: Server) -> None:
    shared.judge(create("a" * (1 << 20), uid="log-3"))

    (line,) = (each for each in shared.log_lines("decision") if each["uid"] == "log-3")
    assert len(line["violations"][0]) < 1024


def test_what_is_no_review_is_no_decision(shared: Server) -> None:
    before = len(shared.log_lines("decision"))

    shared.review(b"{}")
    shared.get("/validate")

    assert len(shared.log_lines("decision")) == before


def test_readiness_names_the_set_that_judges(shared: Server) -> None:
    detail = shared.get("/readyz")

    assert detail.headers["content-type"] == "application/json"
    assert detail.json.keys() == {"ready", "policyRevision", "problem"}
    revision = detail.json["policyRevision"]
    assert re.fullmatch("[0-9a-f]{64}", revision)
    told = shared.judge(create(shared.shop.image()))["auditAnnotations"]["policy-revision"]
    assert told == revision


def test_another_clusters_stage_does_not_count_here(shared: Server) -> None:
    """`test` and `production` have a namespace `shop` too, in clusters of other gates."""
    shared.judge(create(shared.shop.passed(), uid="log-4"))

    (line,) = (each for each in shared.log_lines("decision") if each["uid"] == "log-4")
    assert line["places"] == ["shop/staging"]
