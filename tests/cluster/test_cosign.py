"""What an unmodified cosign writes, Stagepass reads; what Stagepass writes, cosign reads."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cluster.shop import Shop
from tests.cluster.signer import Cosign
from tests.simulators.registry import STAGE_PASSED, Registry

pytestmark = pytest.mark.cluster

OTHER_TYPE = "https://cosign.sigstore.dev/attestation/vuln/v1"


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def shop(registry: Registry, tmp_path: Path) -> Shop:
    """A team that signs with `stagepass attest`."""
    return Shop(tmp_path, registry.host)


@pytest.fixture
def cosign_shop(registry: Registry, tmp_path: Path, cosign: Cosign) -> Shop:
    """A team whose policy names cosign's key as the signer of `test`."""
    return Shop(tmp_path, registry.host, cosign.public)


@pytest.fixture
def image(registry: Registry) -> str:
    digest = registry.push_image("shop/web", secrets.token_bytes(8))
    return f"{registry.host}/shop/web@{digest}"


def a_pass(result: str = "PASSED", stage: str = "test") -> str:
    """Every member of a stage-passed/v1 predicate that is checked, and nothing else."""
    now = datetime.now(UTC)
    predicate = {
        "pipeline": "shop",
        "stage": stage,
        "environment": {"clusterName": "test"},
        "verificationResult": result,
        "timeVerified": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    return json.dumps(predicate, indent=2)


def digest_in(image: str) -> str:
    return image.partition("@")[2]


@pytest.mark.parametrize("has_api", [True, False], ids=["referrers-api", "fallback-tag"])
def test_what_cosign_attest_pushes_is_admitted(
    cosign: Cosign, cosign_shop: Shop, registry: Registry, image: str, has_api: bool
) -> None:
    registry.faults.referrers = has_api
    assert cosign_shop.verify(image).returncode == 1

    cosign.attest(image, a_pass())

    done = cosign_shop.verify(image)
    assert done.returncode == 0, done.stdout
    assert "1 of 1 requirements met" in done.stdout


def test_what_cosign_attest_blob_writes_is_admitted_from_a_directory_byte_for_byte(
    cosign: Cosign, cosign_shop: Shop
) -> None:
    """The way for a key that only cosign may use: the signed bytes are the author's own."""
    image = cosign_shop.image()
    subject = {"name": image.partition("@")[0], "digest": {"sha256": digest_in(image)[7:]}}
    statement = (
        f'{{"_type": "https://in-toto.io/Statement/v1",\n "subject": [{json.dumps(subject)}],\n'
        f' "predicateType": "{STAGE_PASSED}",\n "predicate": {a_pass()}}}\n'
    ).encode()

    bundle = cosign.attest_blob(statement)
    cosign_shop.folder(image).mkdir()
    shutil.copy(bundle, cosign_shop.folder(image) / "by-hand.sigstore.json")

    envelope = json.loads(bundle.read_bytes())["dsseEnvelope"]
    assert base64.b64decode(envelope["payload"]) == statement
    done = cosign_shop.verify(image, f"dir:{cosign_shop.evidence}")
    assert done.returncode == 0, done.stdout


def test_what_stagepass_attest_pushes_is_accepted_by_cosign(
    cosign: Cosign, shop: Shop, image: str
) -> None:
    key = shop.directory / "test.pub"
    assert not cosign.accepts(image, key)

    shop.attest(image, "registry")

    assert cosign.accepts(image, key)
    assert not cosign.accepts(image, cosign.public)
    assert not cosign.accepts(image, key, OTHER_TYPE)


def test_what_stagepass_attest_writes_to_a_directory_is_accepted_by_cosign(
    cosign: Cosign, shop: Shop
) -> None:
    image, key = shop.attest(shop.image()), shop.directory / "test.pub"
    (bundle,) = shop.folder(image).iterdir()

    assert cosign.accepts_blob(bundle, digest_in(image), key)
    assert not cosign.accepts_blob(bundle, digest_in(shop.image()), key)
    assert not cosign.accepts_blob(bundle, digest_in(image), cosign.public)
    assert not cosign.accepts_blob(bundle, digest_in(image), key, OTHER_TYPE)


def test_a_pass_by_a_key_that_the_policy_does_not_name_is_no_pass(
    cosign: Cosign, shop: Shop, image: str
) -> None:
    cosign.attest(image, a_pass())

    assert cosign.accepts(image, cosign.public)
    done = shop.verify(image)
    assert done.returncode == 1
    assert "PASS_MISSING" in done.stdout
    assert "SIGNER_UNKNOWN" in done.stdout


def test_the_words_of_a_pass_under_another_predicate_type_are_no_pass(
    cosign: Cosign, cosign_shop: Shop, image: str
) -> None:
    kind = "https://stagepass.dev/attestation/stage-passed/v2"
    cosign.attest(image, a_pass(), kind)

    assert cosign.accepts(image, cosign.public, kind)
    assert not cosign.accepts(image, cosign.public)
    done = cosign_shop.verify(image)
    assert done.returncode == 1
    assert "PASS_MISSING" in done.stdout


def test_a_signature_of_the_image_by_the_very_key_is_no_pass(
    cosign: Cosign, cosign_shop: Shop, image: str
) -> None:
    cosign.sign(image)

    verify = ("verify", "--key", str(cosign.public), "--insecure-ignore-tlog", image)
    assert cosign.run(*verify).returncode == 0
    done = cosign_shop.verify(image)
    assert done.returncode == 1
    assert "PASS_MISSING" in done.stdout


@pytest.mark.parametrize(
    "predicate", [a_pass("FAILED"), a_pass(stage="production")], ids=["failed", "other-stage"]
)
def test_a_signed_statement_that_does_not_say_passed_test_is_no_pass(
    cosign: Cosign, cosign_shop: Shop, image: str, predicate: str
) -> None:
    """cosign takes it, and even takes it for a signature of the image."""
    cosign.attest(image, predicate)

    assert cosign.accepts(image, cosign.public)
    done = cosign_shop.verify(image)
    assert done.returncode == 1
    assert "PASS_MISSING" in done.stdout


def test_cosign_and_stagepass_add_to_one_image_and_each_still_reads_its_own(
    cosign: Cosign, shop: Shop, image: str
) -> None:
    cosign.attest(image, a_pass())
    shop.attest(image, "registry")
    cosign.sign(image)

    assert shop.verify(image).returncode == 0
    assert cosign.accepts(image, shop.directory / "test.pub")
    assert cosign.accepts(image, cosign.public)
