"""What is read back is what was signed, to the byte; everything else is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import AttestationError
from stagepass.evidence import Attestation, Candidate, Rejection
from stagepass.predicates.release import Named, ReleaseStatement, parse_resource_list
from stagepass.release.artifact import line_digest
from stagepass.release.content import images_of, resource_name, text_of
from stagepass.release.model import MAX_BYTES, Release, contents, other_subjects
from stagepass.statement import Statement, Subject, compose
from tests.release.samples import (
    COMMIT,
    CONFIG,
    DEPLOYMENT,
    OBJECTS,
    REPOSITORY,
    SECRET,
    a_release,
    altered,
    payload_of,
    statement_of,
)
from tests.world import DIGEST, changed, signer


def forged(
    documents: list[dict[str, Any]],
    *,
    data: bytes | None = None,
    resources: list[Named] | None = None,
    images: list[Named] | None = None,
    **members: Any,
) -> tuple[Statement, bytes]:
    """A statement that a holder of a good key could sign, every digest in it computed anew."""
    texts = [text_of(each) for each in documents]
    text = b"[" + b",".join(texts) + b"]" if data is None else data
    named = [Named(resource_name(d), Digest.of(t)) for d, t in zip(documents, texts, strict=True)]
    said = ReleaseStatement(
        pipeline="shop",
        stage="test",
        path="test",
        resources=tuple(named if resources is None else resources),
        images=tuple(
            sorted({i for d in documents for i in images_of(d)}) if images is None else images
        ),
        objects=Digest.of(text),
        size=len(text),
    )
    predicate = strictjson.loads_object(said.compose(), max_bytes=1 << 20, max_depth=64)
    payload = compose(
        name="release.json",
        digest=said.digest,
        predicate_type="https://stagepass.dev/attestation/release/v1",
        predicate=strictjson.dumps(changed(predicate, members)),
        others=other_subjects(said, REPOSITORY, None),
    )
    return Statement.parse(payload), text


def refusal(statement: Statement, data: bytes) -> str:
    with pytest.raises(AttestationError) as raised:
        Release.load(statement, data)
    assert raised.value.code == Code.STATEMENT_INVALID
    return raised.value.message


def test_a_release_is_read_back() -> None:
    release = a_release()

    assert Release.load(statement_of(release), release.data) == release
    assert Release.load(*forged([dict(each) for each in release.objects.values()])).digest == (
        release.digest
    )


def test_no_byte_of_the_objects_can_change() -> None:
    release, statement = a_release(), statement_of(a_release())

    for at in range(len(release.data)):
        for other in (release.data[at] ^ 1, release.data[at] ^ 0x20):
            torn = release.data[:at] + bytes((other,)) + release.data[at + 1 :]
            assert "is not what is there" in refusal(statement, torn)
    for torn in (b"", release.data[:-1], release.data + b"\n", b" " + release.data):
        assert "is not what is there" in refusal(statement, torn)


def test_no_byte_of_the_statement_can_change() -> None:
    """Of the signed bundle: payload, signature and the words around them."""
    release, key = a_release(), signer("ci").private
    bundle, ring = key.sign(payload_of(release)).to_bytes(), KeyRing.of([(key.public, "ci")])
    good = ring.verify(Candidate(bundle, ""), release.digest)
    assert isinstance(good, Attestation)

    for at in range(len(bundle)):
        torn = bundle[:at] + bytes((bundle[at] ^ 1,)) + bundle[at + 1 :]
        found = ring.verify(Candidate(torn, ""), release.digest)
        # The hint that names a key is signed by nobody, and is only a hint.
        assert isinstance(found, Rejection) or found.statement == good.statement


def test_no_byte_of_the_payload_can_change_even_if_it_is_signed_anew() -> None:
    """Whoever holds the key cannot sign a statement that contradicts itself in one byte."""
    release = a_release()
    payload, accepted = payload_of(release), []

    for at in range(len(payload)):
        torn = payload[:at] + bytes((payload[at] ^ 1,)) + payload[at + 1 :]
        try:
            Release.load(Statement.parse(torn), release.data)
        except AttestationError:
            continue
        accepted.append(at)

    # Recorded and never compared: names of subjects, commit, path. The predicate type is asked for by
    # whoever reads the statement. An empty `critical` says as much as none.
    free = (
        *(b"release.json", REPOSITORY.encode(), b"shop/test", b"git+https://git.example.com/shop"),
        *(COMMIT.commit.encode(), b"gitCommit", b'"path":"test"', b"critical"),
        b"https://stagepass.dev/attestation/release/v1",
    )
    allowed = {
        index
        for text in free
        for start in range(len(payload))
        if payload.startswith(text, start)
        for index in range(start, start + len(text))
    }
    assert set(accepted) <= allowed


DOCUMENTS = sorted((DEPLOYMENT, CONFIG), key=resource_name)
TEXTS = [text_of(each) for each in DOCUMENTS]
NAMES = [Named(resource_name(d), Digest.of(t)) for d, t in zip(DOCUMENTS, TEXTS, strict=True)]
IMAGES = sorted(set(images_of(DEPLOYMENT)))
SWAPPED = [Named(NAMES[0].name, NAMES[1].digest), Named(NAMES[1].name, NAMES[0].digest)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: forged(DOCUMENTS, data=rfc8785.dumps(DOCUMENTS[:1])), "1 objects, and 2"),
        (lambda: forged(DOCUMENTS, data=rfc8785.dumps(DOCUMENTS[::-1])), "is another object"),
        (lambda: forged(DOCUMENTS, data=json.dumps(DOCUMENTS).encode()), "canonical spelling"),
        (lambda: forged(DOCUMENTS, data=b"{}"), "not a list of objects"),
        (lambda: forged(DOCUMENTS, data=b"[1,2]"), "not a list of objects"),
        (lambda: forged(DOCUMENTS, data=b"[" * 200 + b"]" * 200), "nested more than"),
        (lambda: forged(DOCUMENTS, data=b'[{"a":1,"a":2},{}]'), "stands twice"),
        (lambda: forged(DOCUMENTS, data=b"[{},{}]"), "apiVersion or kind is missing"),
        (lambda: forged(DOCUMENTS, resources=SWAPPED), "is not what its digest names"),
        (lambda: forged(DOCUMENTS, resources=NAMES[:1]), "2 objects, and 1"),
        (lambda: forged(DOCUMENTS, resources=[]), "resources is empty"),
        (lambda: forged(DOCUMENTS, resources=NAMES[::-1]), "not sorted"),
        (lambda: forged(DOCUMENTS, resources=[NAMES[0], NAMES[0]]), "names one thing twice"),
        (
            lambda: forged(DOCUMENTS, resources=[NAMES[0], Named(NAMES[0].name, DIGEST)]),
            "not sorted|one object twice",
        ),
        (lambda: forged(DOCUMENTS, images=IMAGES[:1]), "images are not those of the objects"),
        (lambda: forged(DOCUMENTS, images=[]), "images are not those of the objects"),
        (lambda: forged(DOCUMENTS, images=IMAGES[::-1]), "images is not sorted"),
        (lambda: forged(DOCUMENTS, imageSet={"sha256": DIGEST.hex}), "imageSet is not the digest"),
        (lambda: forged(DOCUMENTS, imageSet={}), "imageSet is not an object of sha256"),
        (lambda: forged(DOCUMENTS, pipeline="other"), "the artifact it describes"),
        (lambda: forged(DOCUMENTS, stage="other"), "the artifact it describes"),
        (lambda: forged(DOCUMENTS, critical=["evil"]), "critical names"),
        (lambda: forged(DOCUMENTS, **{"objects.size": 1}), "the artifact it describes"),
        (lambda: forged(DOCUMENTS, **{"objects.size": MAX_BYTES + 1}), "bytes of them"),
        (lambda: forged(DOCUMENTS, **{"objects.digest.sha256": DIGEST.hex}), "the artifact"),
        (lambda: forged(DOCUMENTS, **{"resources.0.more": 1}), "of name and digest"),
        (lambda: forged(DOCUMENTS, **{"resources.0.name": "x"}), "not sorted|the release it"),
        (lambda: forged([SECRET]), "shows values"),
        (lambda: forged([altered(SECRET, data={"a": "eA=="})]), "shows values"),
    ],
)  # fmt: skip
def test_a_statement_that_does_not_fit_is_refused(
    make: Callable[[], tuple[Statement, bytes]], message: str
) -> None:
    assert any(each in refusal(*make()) for each in message.split("|"))


def test_one_object_in_two_versions_is_refused() -> None:
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
    }
    both = [ingress, {**ingress, "apiVersion": "networking.k8s.io/v1beta1"}]

    assert "in two versions" in refusal(*forged(both))


@pytest.mark.parametrize("missing", range(3))
def test_a_release_is_about_its_list_its_artifact_and_its_line(missing: int) -> None:
    """A signature that names only one of them would let what it says be listed elsewhere."""
    release = a_release()
    said = release.statement
    every = [Subject.of("release.json", said.digest), *other_subjects(said, REPOSITORY, None)]
    kept = [each for index, each in enumerate(every) if index != missing]
    payload = compose(
        name=kept[0].name,
        digest=Digest(kept[0].digests["sha256"]),
        predicate_type="https://stagepass.dev/attestation/release/v1",
        predicate=said.compose(),
        others=kept[1:],
    )

    with pytest.raises(AttestationError, match="is no subject of it"):
        contents(Statement.parse(payload))


def test_a_statement_of_one_line_is_not_of_another() -> None:
    assert line_digest("shop", "staging") not in statement_of(a_release()).digests


def test_a_resource_list_is_read_back_and_in_no_other_spelling() -> None:
    said = a_release(*OBJECTS).statement

    assert parse_resource_list(said.resource_list, 1 << 20) == (said.resources, said.images)
    for other in (said.resource_list + b"\n", b"{}", b"[]", b"", b'{"images":[],"resources":1}'):
        with pytest.raises(AttestationError):
            parse_resource_list(other, 1 << 20)
