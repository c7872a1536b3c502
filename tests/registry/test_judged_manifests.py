"""The 32 manifests around a good bundle that cosign 3.1.3 judged, read from a registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stagepass.attestor import KeyRing, PublicKey
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.evidence import Attestation, Candidate
from stagepass.registry.content import parse_bundle_manifest
from stagepass.registry.source import RegistrySource
from tests.registry import REPOSITORY, reference
from tests.registry.shop import Shop, search
from tests.simulators.registry import Registry

JUDGED = Path(__file__).parent.parent / "fixtures" / "cosign-v3.1.3" / "judged-by-cosign"
CASES: dict[str, dict[str, Any]] = {
    case["name"].removeprefix("manifest: "): case
    for case in map(json.loads, (JUDGED / "cases.jsonl").read_text().splitlines())
    if case["kind"] == "man"
}
ACCEPTED = [name for name, case in CASES.items() if case["verifyAttestation"]]
REFUSED = [name for name, case in CASES.items() if not case["verifyAttestation"]]
ELSEWHERE = "subject = another digest"
NOT_LISTED = {
    "subject absent (but in fallback index)": (
        "the API lists what names the image: it was the tag that cosign found it by"
    ),
    ELSEWHERE: "the API lists it beside the other image, for cosign as well",
}
STRICTER_BY_TAG = {
    ELSEWHERE: "a list can name a manifest that refers to another image (CVE-2023-33959)",
}
STRICTER_BY_API = {
    "artifactType other": "the list says that it is no bundle: a stranger's SBOM costs no request",
}
NEVER_UPLOADED = {"layer inline data, equal"}
SIZES = {"layer size wrong (+1)", "layer size 0"}


def push(registry: Registry, name: str) -> str:
    """The bundle and the manifest, in the very bytes that cosign was given."""
    case = CASES[name]
    if name not in NEVER_UPLOADED:
        registry.put_blob(REPOSITORY, case["bundle"].encode())
    return registry.put_manifest(REPOSITORY, case["manifest"].encode())


def counts(registry: Registry, source: RegistrySource, name: str) -> bool:
    """Whether what is found beside the image is the attestation that the case is about."""
    case = CASES[name]
    digest = Digest.parse(case["imageDigest"])
    batches, error = search(source, reference(registry.host, digest))
    assert error is None
    ring = KeyRing.of([(PublicKey.parse((JUDGED / case["key"]).read_bytes()), "owner")])
    found = [ring.verify(Candidate(data, name), digest) for batch in batches for data in batch]
    return any(
        isinstance(one, Attestation) and one.statement.predicate_type == case["predicateType"]
        for one in found
    )


def list_in_tag(registry: Registry, name: str) -> None:
    image = reference(registry.host, CASES[name]["imageDigest"])
    Shop(registry, image).list_in_tag(push(registry, name))


@pytest.mark.parametrize("name", CASES)
def test_what_a_tag_lists_counts_as_cosign_says_but_for_another_images(
    registry: Registry, source: RegistrySource, name: str
) -> None:
    registry.faults.referrers = False
    list_in_tag(registry, name)

    wanted = CASES[name]["verifyAttestation"] and name not in STRICTER_BY_TAG
    assert counts(registry, source, name) is wanted


@pytest.mark.parametrize("name", CASES)
def test_what_the_api_lists_counts_as_cosign_says_but_for_what_claims_to_be_no_bundle(
    registry: Registry, source: RegistrySource, name: str
) -> None:
    push(registry, name)

    wanted = CASES[name]["verifyAttestation"] and name not in NOT_LISTED.keys() | STRICTER_BY_API
    assert counts(registry, source, name) is wanted


@pytest.mark.parametrize("name", CASES)
def test_the_manifest_alone_says_all_but_the_size_of_its_blob(name: str) -> None:
    case = CASES[name]
    wanted = name in ACCEPTED and name != ELSEWHERE
    try:
        layer = parse_bundle_manifest(case["manifest"].encode(), Digest.parse(case["imageDigest"]))
    except InputError:
        assert not wanted
        return

    assert wanted or name in SIZES
    assert layer.digest == Digest.of(case["bundle"].encode())


def test_the_cases_are_all_there() -> None:
    assert (len(CASES), len(ACCEPTED), len(REFUSED)) == (32, 22, 10)
    assert {*NOT_LISTED, *STRICTER_BY_TAG, *STRICTER_BY_API} <= set(ACCEPTED)
