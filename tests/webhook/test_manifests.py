"""The webhook where manifests are required: its answer, its log line and its audit annotations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass.release.build import Terms
from stagepass.release.model import Release
from stagepass.release.store import write_directory
from tests.core.gated import of_set
from tests.core.objects import review
from tests.release.samples import COMMIT, CONFIG, DEPLOYMENT, a_release, altered, payload_of
from tests.simulators.registry import Faults, Registry
from tests.webhook.server import Server
from tests.webhook.shop import Shop, digest_of
from tests.world import DROP, signed, signed_pass, stored

REQUIRED = {
    "pipeline.stages.1.manifests": "required",
    "pipeline.stages.1.release": {"from": ["ci"]},
}


def released(shop: Shop) -> tuple[dict[str, Any], Release]:
    """A Deployment of staging and its release, signed now, whose one image has passed."""
    image = shop.image()
    document = altered(DEPLOYMENT, spec__template__spec__initContainers=DROP)
    document["spec"]["template"]["spec"]["containers"] = [{"name": "web", "image": image}]
    release = a_release(document, CONFIG, terms=Terms("shop", "staging", "staging", COMMIT))
    write_directory(shop.evidence, release, signed(payload_of(release), "ci"))
    digest = digest_of(image)
    passed = signed_pass("test", digest=digest, at=datetime.now(UTC), changes=of_set(release))
    stored(shop.evidence, [passed], digest)
    return document, release


@pytest.fixture
def server(tmp_path: Path, shop: Shop) -> Iterator[Server]:
    shop.write(shop.variant(REQUIRED))
    with Server(tmp_path, shop) as running:
        yield running


def test_the_release_is_named_to_whoever_audits(server: Server, shop: Shop) -> None:
    document, release = released(shop)
    for uid, each in (("m-1", document), ("m-2", CONFIG)):
        response = server.judge(review(each, uid=uid, name=each["metadata"]["name"]))
        assert response["allowed"], response
        assert response["auditAnnotations"]["releases"] == str(release.digest)
    lines = {line["uid"]: line for line in server.log_lines("decision")}
    assert [lines[uid]["releases"] for uid in ("m-1", "m-2")] == [[str(release.digest)]] * 2


def test_objects_queued_behind_a_hung_registry_are_answered_in_time(
    tmp_path: Path, shop: Shop
) -> None:
    """All of them read one line; who waits for another to read it must not hold its thread."""
    with Registry(faults=Faults(hang=True)) as registry:
        rule = {"from": ["ci"], "repository": f"{registry.host}/shop/releases"}
        shop.write(shop.variant({**REQUIRED, "pipeline.stages.1.release": rule}))
        with Server(tmp_path, shop, evidence="registry") as server:

            def judge(number: int) -> tuple[float, int]:
                started = time.monotonic()
                asked = review(altered(CONFIG, metadata__name=f"c-{number}"), name=f"c-{number}")
                response = server.judge(asked, timeout="3s")
                return time.monotonic() - started, response["status"]["code"]

            with ThreadPoolExecutor(40) as pool:
                answers = list(pool.map(judge, range(40)))

            assert {status for _, status in answers} == {503}
            assert max(took for took, _ in answers) < 3.0


def test_a_changed_field_is_refused_by_name(server: Server, shop: Shop) -> None:
    document, release = released(shop)
    changed = altered(document, spec__template__spec__containers__0__command=["sh"])
    response = server.judge(review(changed, name="checkout"))

    assert response["status"]["code"] == 403
    path = "spec.template.spec.containers[0].command"
    (cause,) = response["status"]["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("MANIFEST_DIFFERS", path)
    first, second, third = response["status"]["message"].splitlines()
    assert first == f"shop/staging does not admit this object ({path})"
    assert f'{path}: got ["sh"], attested absent' in second
    assert release.digest.hex[:12] in second
    assert third.startswith("fix: apply what was released")
    assert response["auditAnnotations"]["codes"] == "MANIFEST_DIFFERS"
