"""Every part of a bundle altered: what it says never changes, and no junk is more than a rejection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stagepass.evidence import Attestation, Rejection
from tests.keyless.world import altered, keyless, policy, verdict

POLICY = policy()
BUNDLES = {"v1": keyless(tsa=True), "v2": keyless(log="v2", tsa=True)}
GOOD = {name: verdict(POLICY, bundle) for name, bundle in BUNDLES.items()}
CERTIFICATE = "verificationMaterial.certificate.rawBytes"
SIGNATURE = "dsseEnvelope.signatures.0.sig"
PAYLOAD = "dsseEnvelope.payload"


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every string in the document."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}.{index}")
    elif isinstance(node, str):
        yield path, node


def flipped(text: str, place: int) -> str:
    other = "A" if text[place] != "A" else "B"
    if text[place].isdigit():
        other = str((int(text[place]) + 1) % 10)
    return text[:place] + other + text[place + 1 :]


CASES = [
    (name, path, text)
    for name, bundle in BUNDLES.items()
    for path, text in leaves(json.loads(bundle))
]


@pytest.mark.parametrize(("name", "path", "text"), CASES, ids=[f"{n}-{p}" for n, p, _ in CASES])
def test_a_flipped_character_never_makes_it_say_something_else(
    name: str, path: str, text: str
) -> None:
    for place in sorted({0, len(text) // 3, len(text) // 2, len(text) - 1} & set(range(len(text)))):
        found = verdict(POLICY, altered(BUNDLES[name], {path: flipped(text, place)}))

        assert isinstance(found, Rejection) or found == GOOD[name], place


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("path", [CERTIFICATE, SIGNATURE, PAYLOAD])
def test_a_flipped_character_of_what_is_signed_is_a_rejection(name: str, path: str) -> None:
    text = dict(leaves(json.loads(BUNDLES[name])))[path]
    for place in range(8, len(text) - 8, max(1, len(text) // 24)):
        found = verdict(POLICY, altered(BUNDLES[name], {path: flipped(text, place)}))

        assert isinstance(found, Rejection), place


@pytest.mark.parametrize("junk", [None, [], {}, 7, True, "", "?", [None], "AAAA", -1, 1 << 70])
@pytest.mark.parametrize("name", BUNDLES)
def test_junk_anywhere_is_never_more_than_a_rejection(name: str, junk: Any) -> None:
    document = json.loads(BUNDLES[name])
    for path in [path for path, _ in leaves(document)]:
        *parents, _ = path.split(".")
        for where in (path, ".".join(parents)):
            found = verdict(POLICY, altered(BUNDLES[name], {where: junk})) if where else None

            assert found is None or isinstance(found, Rejection) or found == GOOD[name], where


def test_several_threads_share_one_verifier() -> None:
    bundles = [keyless() for _ in range(8)] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda bundle: verdict(POLICY, bundle), bundles))

    assert all(isinstance(each, Attestation) for each in found)
