"""Layouts that we write and an unmodified cosign reads, and the other way round."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stagepass.attestor import KeyRing, PublicKey
from stagepass.digest import ImageRef
from stagepass.evidence import Attestation, Candidate, Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.legacy import push_attachment
from stagepass.registry.push import push_bundle
from stagepass.registry.source import RegistrySource
from stagepass.statement import compose
from tests.cluster.signer import Cosign
from tests.registry import digest_in
from tests.registry.shop import search
from tests.simulators.registry import STAGE_PASSED, Registry
from tests.world import signer

pytestmark = pytest.mark.cluster

LEGACY = ("--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false")
NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Our public key."""
    file = tmp_path / "ci.pub"
    file.write_bytes(signer("ci").public_pem)
    return file


def bundle(image: ImageRef) -> bytes:
    digest = digest_in(image)
    payload = compose(
        name=image.name, digest=digest, predicate_type=STAGE_PASSED, predicate=b'{"a":1}'
    )
    return signer("ci").private.sign(payload).to_bytes()


def count(source: RegistrySource, image: ImageRef, key: PublicKey) -> int:
    ring, (found, error) = KeyRing.of([(key, "owner")]), search(source, image)
    assert error is None
    judged = [ring.verify(Candidate(d, "here"), digest_in(image)) for b in found for d in b]
    return sum(isinstance(one, Attestation) for one in judged)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("has_api", [True, False])
def test_cosign_accepts_what_we_push(
    inline: bool,
    has_api: bool,
    cosign: Cosign,
    registry: Registry,
    client: RegistryClient,
    image: ImageRef,
    key: Path,
) -> None:
    registry.faults.referrers = has_api
    until, digest = Deadline.after(20), digest_in(image)
    push_bundle(client, image, digest, bundle(image), STAGE_PASSED, NOW, until, inline=inline)
    assert cosign.accepts(str(image), key)
    assert not cosign.accepts(str(image), cosign.public)


def test_cosign_adds_to_the_tag_that_we_wrote_and_we_to_its(
    cosign: Cosign,
    registry: Registry,
    client: RegistryClient,
    source: RegistrySource,
    image: ImageRef,
    key: Path,
) -> None:
    registry.faults.referrers = False
    for number in range(2):
        data = bundle(image)
        push_bundle(client, image, digest_in(image), data, STAGE_PASSED, NOW, Deadline.after(20))
        cosign.attest(str(image), f'{{"number":{number}}}')
    assert count(source, image, PublicKey.parse(cosign.public.read_bytes())) == 2
    assert count(source, image, signer("ci").private.public) == 2
    assert cosign.accepts(str(image), key)
    assert cosign.accepts(str(image), cosign.public)


def test_the_legacy_layout_goes_both_ways(
    cosign: Cosign,
    client: RegistryClient,
    source: RegistrySource,
    image: ImageRef,
    key: Path,
) -> None:
    """One manifest, to which cosign, we, and cosign again add a layer each."""
    predicate = cosign.directory / "legacy.json"
    predicate.write_text("{}")
    what = ("--type", STAGE_PASSED, "--predicate", str(predicate))
    sign = ("attest", "--key", "ci.key", "--yes", *what, *LEGACY, str(image))
    cosign.run(*sign)
    until = Deadline.after(20)
    push_attachment(client, image, digest_in(image), bundle(image), STAGE_PASSED, until)
    cosign.run(*sign)
    judge = ("--type", STAGE_PASSED, "--insecure-ignore-tlog", "--new-bundle-format=false")
    for public in (key, cosign.public):
        cosign.run("verify-attestation", "--key", str(public), *judge, str(image))
    assert count(source, image, PublicKey.parse(cosign.public.read_bytes())) == 2
    assert count(source, image, signer("ci").private.public) == 1
