"""Releases in a registry and in a directory: stored, listed newest first, read by digest, hashed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from stagepass.bundle import MAX_BYTES as MAX_BUNDLE
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import MAX_CANDIDATES, Attestation, Candidate, Deadline
from stagepass.predicates.release import RELEASE
from stagepass.registry.auth import Credentials
from stagepass.registry.client import RegistryClient
from stagepass.registry.settings import RegistrySettings
from stagepass.registry.source import RegistrySource
from stagepass.release.artifact import artifact, line, line_digest
from stagepass.release.model import MAX_BYTES, Release
from stagepass.release.pushed import RegistryBlobs, push_release
from stagepass.release.store import (
    DirectoryBlobs,
    ReleaseSource,
    read_back,
    write_directory,
)
from tests.registry.debian import DockerRegistry
from tests.release.samples import CONFIG, DEPLOYMENT, a_release, altered, payload_of
from tests.simulators.registry import Registry
from tests.world import NOW, SECOND, policy_set, signer

LINE = line_digest("shop", "test")
NAME = "shop/releases"


def bundle_of(release: Release) -> bytes:
    return signer("ci").private.sign(payload_of(release)).to_bytes()


def soon() -> Deadline:
    return Deadline.after(20)


@pytest.fixture(params=["simulator", "without-api", "docker-registry"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ImageRef]:
    """An empty repository, in each kind of registry."""
    if request.param == "docker-registry":
        with DockerRegistry(tmp_path) as running:
            yield ImageRef.parse(f"{running.host}/{NAME}")
        return
    with Registry() as registry:
        registry.faults.referrers = request.param == "simulator"
        yield ImageRef.parse(f"{registry.host}/{NAME}")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


def client_of(host: str) -> RegistryClient:
    return RegistryClient(RegistrySettings(), Credentials(), frozenset({host}))


def test_a_release_is_stored_and_found_by_artifact_and_by_line(repository: ImageRef) -> None:
    release, policy = a_release(), policy_set()
    bundle = bundle_of(release)
    with client_of(repository.host) as client, RegistrySource(client, listing_seconds=0) as source:
        stored = push_release(client, repository, release, bundle, NOW, soon())
        here = ReleaseSource(source, RegistryBlobs(client))
        read_back(here, repository, release, bundle)

        assert len(stored) == 2
        for digest in (release.artifact_digest, LINE):
            (batch,) = list(here.candidates(repository, digest, soon()))[:1]
            (found,) = batch
            verified = policy.keys.verify(found, digest)
            assert isinstance(verified, Attestation)
            data = here.blobs.blob(repository, release.statement.objects, soon())
            assert Release.load(verified.statement, data) == release
        assert client.manifest(repository, release.artifact_digest, soon()) == artifact(
            release.statement
        )
        assert client.manifest(repository, LINE, soon()) == line("shop", "test")


def test_to_push_again_adds_nothing(repository: ImageRef) -> None:
    release = a_release()
    bundle = bundle_of(release)
    with client_of(repository.host) as client, RegistrySource(client, listing_seconds=0) as source:
        first = push_release(client, repository, release, bundle, NOW, soon())
        again = push_release(client, repository, release, bundle, NOW, soon())
        batches = source.batches(repository, LINE, frozenset({RELEASE}), soon())

        assert first == again
        assert sum(len(batch) for batch in batches) == 1


def read_to_the_end(
    batches: Iterator[Sequence[Candidate]],
) -> tuple[list[bytes], Unavailable | None]:
    found: list[bytes] = []
    try:
        for batch in batches:
            found += [candidate.data for candidate in batch]
    except Unavailable as error:
        return found, error
    return found, None


def numbered(number: int) -> Release:
    return a_release(altered(CONFIG, data__number=str(number)))


def test_the_newest_releases_of_a_line_are_found_whatever_is_older(registry: Registry) -> None:
    """60 releases: the 50 newest are read, newest first, and then it is said that there are more."""
    repository = ImageRef.parse(f"{registry.host}/{NAME}")
    bundles = {bundle_of(numbered(n)): n for n in range(MAX_CANDIDATES + 10)}
    with client_of(repository.host) as client, RegistrySource(client, listing_seconds=0) as source:
        for bundle, number in sorted(bundles.items()):
            at = NOW - timedelta(days=90) + number * 90 * SECOND
            push_release(client, repository, numbered(number), bundle, at, soon())
        batches = source.batches(repository, LINE, frozenset({RELEASE}), soon())
        found, limit = read_to_the_end(batches)

        newest = list(range(MAX_CANDIDATES + 9, 9, -1))
        assert [bundles[each] for each in found] == newest
        assert limit is not None
        assert limit.code == Code.EVIDENCE_LIMIT
        batch = next(source.batches(repository, LINE, frozenset({RELEASE}), soon()))
        assert [bundles[each.data] for each in batch] == newest[:8]


@pytest.mark.parametrize("created", ["soon", "", "2026-11-26T12:00:00+02:00"])
def test_a_time_that_is_none_comes_last_and_is_read_all_the_same(
    registry: Registry, created: str
) -> None:
    """Annotations are hints: whoever writes a wrong one hides nothing."""
    repository = ImageRef.parse(f"{registry.host}/{NAME}")
    odd, good = bundle_of(numbered(1)), bundle_of(numbered(2))
    with client_of(repository.host) as client, RegistrySource(client, listing_seconds=0) as source:
        push_release(client, repository, numbered(2), good, NOW - timedelta(days=900), soon())
        manifest = client.referrers(repository, LINE, soon())
        assert manifest is not None
        body = json.loads(client.manifest(repository, manifest.entries[0].digest, soon()))
        registry.put_blob(NAME, odd)
        body["layers"][0] |= {"digest": str(Digest.of(odd)), "size": len(odd)}
        body["annotations"]["org.opencontainers.image.created"] = created
        registry.put_manifest(NAME, json.dumps(body).encode())
        batches = source.batches(repository, LINE, frozenset({RELEASE}), soon())

        assert [each.data for batch in batches for each in batch] == [good, odd]


def test_a_directory_holds_bundles_and_blobs(tmp_path: Path) -> None:
    release = a_release()
    bundle = bundle_of(release)
    write_directory(tmp_path, release, bundle)
    here = ReleaseSource.directory(tmp_path)
    read_back(here, ImageRef.parse("any/where"), release, bundle)
    name = f"{Digest.of(bundle).hex}.sigstore.json"

    assert {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*.*")} == {
        f"sha256-{release.artifact_digest.hex}/{name}": bundle,
        f"sha256-{LINE.hex}/{name}": bundle,
    }
    assert {p.name: p.read_bytes() for p in (tmp_path / "blobs" / "sha256").iterdir()} == {
        release.digest.hex: release.statement.resource_list,
        release.statement.objects.hex: release.data,
    }


def test_other_bytes_under_a_digest_are_not_read(tmp_path: Path) -> None:
    release = a_release(DEPLOYMENT)
    write_directory(tmp_path, release, bundle_of(release))
    path = tmp_path / "blobs" / "sha256" / release.statement.objects.hex
    where = ImageRef.parse("any/where")

    for data in (b"", release.data[:-1], release.data + b" ", release.data.replace(b"2", b"3")):
        path.write_bytes(data)
        with pytest.raises(Unavailable, match="other bytes than"):
            DirectoryBlobs(tmp_path).blob(where, release.statement.objects, soon())
    path.unlink()
    with pytest.raises(Unavailable, match="No such file"):
        DirectoryBlobs(tmp_path).blob(where, release.statement.objects, soon())
    path.mkdir()
    with pytest.raises(Unavailable, match="not a regular file"):
        DirectoryBlobs(tmp_path).blob(where, release.statement.objects, soon())


def test_a_registry_that_lies_is_not_believed(registry: Registry) -> None:
    repository, release = ImageRef.parse(f"{registry.host}/{NAME}"), a_release()
    with client_of(repository.host) as client:
        push_release(client, repository, release, bundle_of(release), NOW, soon())
        registry.faults.lie = True
        with pytest.raises(Unavailable, match="other bytes than"):
            RegistryBlobs(client).blob(repository, release.statement.objects, soon())


def test_objects_of_more_than_a_bundle_are_read_and_of_more_than_32_mib_are_not(
    registry: Registry,
) -> None:
    repository = ImageRef.parse(f"{registry.host}/{NAME}")
    big, too_big = bytes(MAX_BUNDLE + 1), bytes(MAX_BYTES + 1)
    with client_of(repository.host) as client:
        registry.put_blob(NAME, big)
        registry.put_blob(NAME, too_big)
        assert RegistryBlobs(client).blob(repository, Digest.of(big), soon()) == big
        with pytest.raises(Unavailable):
            client.blob(repository, Digest.of(big), soon())
        with pytest.raises(Unavailable):
            RegistryBlobs(client).blob(repository, Digest.of(too_big), soon())


def test_a_blob_is_read_within_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="deadline"):
        DirectoryBlobs(tmp_path).blob(ImageRef.parse("a/b"), LINE, Deadline.after(-1))


def test_a_bundle_of_the_line_is_verified_as_any_other() -> None:
    """What `policy.keys.verify` says of a candidate and the line is all that a gate needs."""
    release = a_release()
    verified = policy_set().keys.verify(Candidate(bundle_of(release), ""), LINE)

    assert isinstance(verified, Attestation)
    assert (verified.owner, verified.statement.predicate_type) == ("ci", RELEASE)
