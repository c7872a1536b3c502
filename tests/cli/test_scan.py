"""`scan`: what runs, against what may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Result, Shop
from tests.core.objects import containers
from tests.policy.signed import emergency, full_evidence, write_shop
from tests.world import DIGEST, IMAGE, OTHER_IMAGE, stored

TAGGED = "registry.example.com/shop/checkout:1.2"


def pod(name: str, *images: str, namespace: str = "shop", **metadata: Any) -> dict[str, Any]:
    """A running Pod, as `kubectl get` shows it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"containers": containers(*images), "nodeName": "n1"},
        "status": {"phase": "Running", "containerStatuses": [{"imageID": TAGGED}]},
    }


def pods(*items: dict[str, Any]) -> str:
    """What `kubectl get pods -A -o json` prints."""
    return json.dumps(
        {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}
    )


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full, with everything that production asks for."""
    write_shop(shop.root)
    stored(shop.evidence, full_evidence())
    return shop


def scan(shop: Shop, text: str, *arguments: str, cluster: str = "prod-eu") -> Result:
    """Of a file."""
    file = shop.root / "pods.json"
    file.write_text(text)
    return shop.decide("scan", str(file), "--cluster", cluster, *arguments)


def as_text(shop: Shop, text: str) -> Result:
    """The table for people."""
    file = shop.root / "pods.json"
    file.write_text(text)
    options = ["--policy", str(shop.policy), "--evidence", f"dir:{shop.evidence}"]
    now = ["--now", "2026-11-26T12:00:00Z", "--offline"]
    return shop.run("scan", str(file), "--cluster", "prod-eu", *options, *now)


def test_what_may_run_exits_0_with_one_line_for_each_object(full: Shop) -> None:
    result = scan(full, pods(pod("a", str(IMAGE)), pod("b", str(IMAGE), str(IMAGE))))

    assert result.code == 0
    assert [line["object"]["name"] for line in result.lines] == ["a", "b"]
    assert {line["decision"] for line in result.lines} == {"admitted"}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (pod("a", str(OTHER_IMAGE)), "PASS_MISSING"),
        (pod("a", TAGGED), "DIGEST_REQUIRED"),
        (pod("a", f"docker.io/library/nginx@{DIGEST}"), "UNLISTED"),
        (pod("a", str(IMAGE), namespace="other"), "UNLISTED"),
        (pod("a", str(IMAGE), str(OTHER_IMAGE)), "PASS_MISSING"),
        (pod("a", "No Image"), "IMAGE_INVALID"),
    ],
)
def test_what_could_not_restart_exits_1_with_its_reasons(
    full: Shop, item: dict[str, Any], code: str
) -> None:
    result = scan(full, pods(pod("good", str(IMAGE)), item))
    good, bad = result.lines

    assert (result.code, good["decision"], bad["decision"]) == (1, "admitted", "denied")
    assert code in {v["code"] for v in bad["violations"]}


def test_each_cluster_is_scanned_as_itself(full: Shop) -> None:
    text = pods(pod("a", str(IMAGE)))

    assert [scan(full, text, cluster=c).code for c in ("prod-eu", "prod-us", "unknown")] == [
        0,
        0,
        1,
    ]


def test_when_it_cannot_be_found_out_it_exits_2(full: Shop) -> None:
    text = pods(pod("a", str(OTHER_IMAGE)))
    file = full.root / "pods.json"
    file.write_text(text)
    result = full.run(
        *("scan", str(file), "--cluster", "prod-eu", "--policy", str(full.policy)),
        *("--evidence", "registry", "--offline", "--output", "json"),
    )

    assert (result.code, result.line["decision"]) == (2, "undetermined")


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"kind":"List","items":7}', '{"kind":"List","items":[]}']
)
def test_what_is_no_list_of_objects_is_usage(full: Shop, text: str) -> None:
    assert scan(full, text).code == 64


def test_every_use_of_an_emergency_is_told_for_each_object(shop: Shop) -> None:
    """A cache must not swallow it."""
    write_shop(shop.root)
    stored(shop.evidence, [emergency()])
    result = scan(shop, pods(pod("a", str(IMAGE)), pod("b", str(IMAGE))))

    assert result.code == 0
    assert [line["notes"] for line in result.lines] == [["BREAK_GLASS"]] * 2
    assert all(line["warnings"] for line in result.lines)


def test_the_table_names_each_object_image_and_reason_and_counts(full: Shop) -> None:
    result = as_text(full, pods(pod("good", str(IMAGE)), pod("bad", TAGGED), pod("worse", TAGGED)))
    rows = [line for line in result.out.splitlines() if line.startswith("denied")]

    assert (result.code, len(rows)) == (1, 2)
    assert "Pod shop/bad" in rows[0]
    assert TAGGED in rows[0]
    assert "DIGEST_REQUIRED" in rows[0]
    assert result.out.splitlines()[-1] == "3 objects: 1 admitted, 2 denied"


def test_a_clean_scan_prints_no_table(full: Shop) -> None:
    result = as_text(full, pods(pod("good", str(IMAGE))))

    assert (result.code, result.out) == (0, "1 objects: 1 admitted\n")


@pytest.mark.parametrize(
    "text", ["[/x]", "[red]", "[link=file:///x]y[/link]", "\x1b[2J", "a\nadmitted", "\x9b2J"]
)
def test_whoever_names_a_pod_or_an_image_writes_text_and_no_markup(full: Shop, text: str) -> None:
    """CVE-2021-25743: the terminal of an auditor obeys nobody who runs in the cluster."""
    result = as_text(full, pods(pod(text, str(OTHER_IMAGE)), pod("b", text)))

    assert (result.code, result.err) == (1, "")
    assert not set("\x1b\x9b") & set(result.out)
    assert sum(line.startswith("denied") for line in result.out.splitlines()) >= 2
    assert not any(line.startswith("admitted") for line in result.out.splitlines())
    if text.isprintable():
        assert text in result.out


def test_a_cluster_of_thousands_of_pods_is_read_whole(full: Shop) -> None:
    """`kubectl get pods -A -o json` prints 6 to 10 KB a pod: 2,000 are more than one review may hold."""
    fat = {"annotations": {"note": "n" * 1_000_000}}
    running = pods(*(pod(f"p{number}", str(IMAGE), **fat) for number in range(9)))

    assert scan(full, running).code == 0


def test_a_review_may_not_be_larger_here_than_where_it_is_posted(full: Shop) -> None:
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "operation": "CREATE",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "namespace": "shop",
            "object": pod("p", str(IMAGE), annotations={"note": "n" * (9 << 20)}),
        },
    }

    result = scan(full, json.dumps(review))

    assert (result.code, "at most 8388608" in result.err) == (64, True)


def test_a_file_without_an_end_is_not_read_to_its_end(full: Shop) -> None:
    options = ["--policy", str(full.policy), "--evidence", f"dir:{full.evidence}"]
    result = full.run("scan", "/dev/zero", "--cluster", "prod-eu", *options)

    assert (result.code, "more than 268435456 bytes" in result.err) == (64, True)
