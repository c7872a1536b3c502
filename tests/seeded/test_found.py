"""What no test said before the seeded bugs were run: each of these kills one that had survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagepass import strictjson
from stagepass.admission import judge_object
from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Decision
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import INDEX_TYPE, MANIFEST_TYPE, parse_bundle_manifest
from stagepass.registry.settings import RegistrySettings
from stagepass.verifier import Verifier
from tests.core.objects import containers, pod, request
from tests.core.sources import MemorySource
from tests.fuzz.gate import Gate
from tests.registry import REPOSITORY
from tests.simulators.registry import Registry
from tests.webhook.reviews import create
from tests.world import DIGEST, IMAGE, NOW, OTHER_IMAGE, STAGING, good_evidence, policy_set


@pytest.fixture
def cached() -> Verifier:
    return Verifier(policy_set(), [MemorySource(good_evidence())], DecisionCache())


def decide(verifier: Verifier, image: ImageRef) -> Answer:
    deadline = Deadline.after(60)
    return verifier.decide(image, STAGING, now=NOW, deadline=deadline).answer


def judge(verifier: Verifier, image: ImageRef) -> Decision:
    new = request(pod({"containers": containers(str(image))}))
    return judge_object(verifier, "staging", new, now=NOW, deadline=Deadline.after(60))


def test_an_admitted_digest_says_nothing_about_another_of_the_same_name(cached: Verifier) -> None:
    """CVE-2026-122321: the verdict about what a name stands for now is made from scratch."""
    assert OTHER_IMAGE.name == IMAGE.name
    assert [decide(cached, image) for image in (IMAGE, OTHER_IMAGE, IMAGE)] == [
        Answer.ADMITTED,
        Answer.DENIED,
        Answer.ADMITTED,
    ]


def test_an_admitted_object_says_nothing_about_another_image_in_the_same_slot(
    cached: Verifier,
) -> None:
    answers = [judge(cached, image).answer for image in (IMAGE, OTHER_IMAGE, IMAGE)]

    assert answers == [Answer.ADMITTED, Answer.DENIED, Answer.ADMITTED]


def test_an_exception_while_judging_refuses_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V05, V14: whatever breaks, the caller gets an explicit refusal."""

    def crash(*_: object, **__: object) -> Decision:
        raise RuntimeError("crash")

    with Gate(tmp_path) as gate:
        monkeypatch.setattr("webhook.gate.judge_object", crash)
        answer = gate.post(strictjson.dumps(create(gate.attested)))

    assert answer.status == 200
    response = strictjson.loads_object(answer.body, max_bytes=1 << 20, max_depth=20)["response"]
    assert (response["allowed"], response["status"]["code"]) == (False, 503)
    assert response["auditAnnotations"]["codes"] == "INTERNAL"


def test_a_tag_resolves_to_the_bytes_that_were_read_and_not_to_a_header() -> None:
    """CVE-2023-47630: the simulator keeps the right header, and sends other bytes."""
    with Registry() as registry:
        digest = registry.push_image(REPOSITORY, tag="1")
        registry.faults.lie = True
        settings, hosts = RegistrySettings(), frozenset({registry.host})
        with RegistryClient(settings, Credentials(), hosts) as client:
            image = ImageRef.parse(f"{registry.host}/{REPOSITORY}:1")
            assert str(client.resolve(image, Deadline.after(5))) != str(digest)


@pytest.mark.parametrize("media_type", [None, MANIFEST_TYPE, INDEX_TYPE])
def test_what_could_be_read_as_an_index_is_no_manifest(media_type: str | None) -> None:
    """GHSA-qq97-vm5h-rrhg."""
    layer = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "digest": str(Digest.of(b"{}")),
        "size": 2,
    }
    document = {"schemaVersion": 2, "layers": [layer]}
    assert parse_bundle_manifest(strictjson.dumps(document), DIGEST).size == 2

    named = {} if media_type is None else {"mediaType": media_type}
    with pytest.raises(InputError, match="not an image manifest"):
        parse_bundle_manifest(strictjson.dumps({**document, **named, "manifests": []}), DIGEST)
