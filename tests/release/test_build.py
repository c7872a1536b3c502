"""What goes into a release, by which name, in which bytes; and what is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from stagepass.bundle import MAX_BYTES as MAX_BUNDLE
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.manifest import ObjectId
from stagepass.release.artifact import artifact, line, line_digest
from stagepass.release.build import Commit, build
from stagepass.release.content import canonical_object
from stagepass.release.model import MAX_OBJECTS, subjects
from tests.release.samples import (
    CHECKOUT,
    CONFIG,
    DEPLOYMENT,
    OBJECTS,
    REPOSITORY,
    ROLE,
    SIDECAR,
    TERMS,
    a_release,
    altered,
    named,
    payload_of,
)
from tests.world import DROP, signer


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_resource_list_is_made_by_the_book() -> None:
    """Computed here from the objects with the reference implementation of RFC 8785 alone."""
    release = a_release()
    names = [
        ("apps/v1/Deployment/shop/checkout", DEPLOYMENT),
        ("rbac.authorization.k8s.io/v1/ClusterRole//shop-reader", ROLE),
        ("v1/ConfigMap/shop/settings", CONFIG),
    ]
    resources = [{"name": n, "digest": {"sha256": sha256(rfc8785.dumps(o))}} for n, o in names]
    images = [
        {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
        for name, _, digest in sorted(i.partition("@") for i in (CHECKOUT, SIDECAR))
    ]

    assert release.statement.resource_list == rfc8785.dumps(
        {"images": images, "resources": resources}
    )
    assert release.digest.hex == sha256(release.statement.resource_list)
    assert release.image_set.hex == sha256(rfc8785.dumps(images))
    assert release.data == rfc8785.dumps([each for _, each in names])


def test_the_statement_names_list_artifact_line_and_commit_in_this_order() -> None:
    release = a_release()
    statement = json.loads(payload_of(release))
    about = subjects(release.statement)

    assert statement["subject"] == [
        {"name": "release.json", "digest": {"sha256": release.digest.hex}},
        {"name": REPOSITORY, "digest": {"sha256": about["artifact"].hex}},
        {"name": "shop/test", "digest": {"sha256": about["line"].hex}},
        {"name": TERMS.source.uri, "digest": {"gitCommit": TERMS.source.commit}},
    ]
    predicate = statement["predicate"]
    assert predicate["objects"] == {
        "digest": {"sha256": sha256(release.data)},
        "size": len(release.data),
    }
    assert predicate["imageSet"] == {"sha256": release.image_set.hex}
    assert (predicate["pipeline"], predicate["stage"], predicate["path"]) == (
        "shop",
        "test",
        "test",
    )
    assert predicate["critical"] == []


def test_a_line_has_one_digest_that_anybody_can_compute() -> None:
    """A change of it would lose every release: it is written out."""
    empty = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": f"sha256:{sha256(b'{}')}",
        "size": 2,
    }
    expected = rfc8785.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.stagepass.release-line.v1+json",
            "config": empty,
            "layers": [empty],
            "annotations": {"dev.stagepass.pipeline": "shop", "dev.stagepass.stage": "test"},
        }
    )

    assert line("shop", "test") == expected
    assert line_digest("shop", "test") == Digest.of(expected)
    assert len({str(line_digest(p, s)) for p, s in (("a", "b"), ("b", "a"), ("a/b", "c"))}) == 3


def test_the_artifact_holds_list_and_objects() -> None:
    release = a_release()
    manifest = json.loads(artifact(release.statement))

    assert manifest["artifactType"] == "application/vnd.stagepass.release.v1+json"
    assert [(each["digest"], each["size"]) for each in manifest["layers"]] == [
        (str(release.digest), len(release.statement.resource_list)),
        (f"sha256:{sha256(release.data)}", len(release.data)),
    ]


@given(st.permutations(OBJECTS))
def test_the_order_of_objects_does_not_matter(shuffled: list[dict[str, Any]]) -> None:
    assert payload_of(a_release(*shuffled)) == payload_of(a_release())


@pytest.mark.parametrize(
    "same",
    [
        altered(CONFIG, status={}),
        altered(CONFIG, metadata__creationTimestamp=None),
        altered(CONFIG, metadata__labels={}),
        altered(CONFIG, metadata__annotations=None),
        altered(CONFIG, binaryData=None),
    ],
)
def test_what_no_server_stores_makes_no_other_release(same: dict[str, Any]) -> None:
    assert a_release(same).digest == a_release(CONFIG).digest


@pytest.mark.parametrize(
    ("source", "kept"),
    [(1.0, 1), (-0.0, 0), (1e3, 1000), (0.5, 0.5), (True, True), (2.0**53, 2.0**53)],
)
def test_whole_numbers_are_integers(source: float, kept: float) -> None:
    document = canonical_object(altered(CONFIG, x=source))

    assert (document["x"], type(document["x"])) == (kept, type(kept))


def test_finalizers_may_be_meant() -> None:
    kept = altered(CONFIG, metadata__finalizers=["shop.example/hold"])

    (document,) = a_release(kept).objects.values()
    assert document["metadata"]["finalizers"] == ["shop.example/hold"]


def test_an_object_of_a_custom_kind_may_have_no_namespace() -> None:
    """Only the API server knows its scope."""
    cart = {"apiVersion": "shop.example/v1", "kind": "Cart", "metadata": {"name": "all"}}

    assert list(a_release(cart).objects) == [ObjectId("shop.example", "Cart", "", "all")]


META = "metadata__"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no namespace": (altered(CONFIG, metadata__namespace=DROP), "no metadata.namespace"),
    "a namespace too many": (altered(ROLE, metadata__namespace="shop"), "its kind has none"),
    "generateName": (altered(CONFIG, metadata__generateName="x-"), "sets metadata.generateName"),
    "no name": (altered(CONFIG, metadata__name=DROP), "no metadata.name"),
    "a path as a name": (altered(CONFIG, metadata__name="a/b"), "is no name"),
    "a path as a namespace": (altered(CONFIG, metadata__namespace="a/b"), "is no namespace"),
    "no metadata": (altered(CONFIG, metadata=DROP), "no metadata.name"),
    "a status": (altered(CONFIG, status={"phase": "Bound"}), "has a status"),
    "creationTimestamp": (
        altered(CONFIG, metadata__creationTimestamp="2026-11-26T12:00:00Z"),
        "sets metadata.creationTimestamp",
    ),
    **{
        name: (altered(CONFIG, **{f"{META}{name}": value}), f"sets metadata.{name}")
        for name, value in {
            "uid": "1",
            "resourceVersion": "1",
            "generation": 1,
            "managedFields": [{}],
            "ownerReferences": [{}],
            "deletionTimestamp": "2026-11-26T12:00:00Z",
        }.items()
    },
    "our own kind": (
        {
            "apiVersion": "stagepass.dev/v1",
            "kind": "Application",
            "metadata": {"name": "x", "namespace": "shop"},
        },
        "is of the group stagepass.dev",
    ),
    "our own label": (
        altered(CONFIG, metadata__labels={"stagepass.dev/application": "x"}),
        "sets the label",
    ),
    "a label that is no text": (altered(CONFIG, metadata__labels={"a": 1}), "is not text"),
    "a tag": (
        altered(DEPLOYMENT, spec__template__spec__containers__0__image="registry.example.com/a:1"),
        "has no digest",
    ),
    "no containers": (altered(DEPLOYMENT, spec__template__spec__containers=[]), "containers"),
    "no image": (altered(DEPLOYMENT, spec__template__spec__containers__1__image=""), "image"),
    "a number that JSON cannot hold": (altered(CONFIG, x=1 << 53), "no canonical JSON"),
    "no number": (altered(CONFIG, x=float("nan")), "no canonical JSON"),
    "no kind": (altered(CONFIG, kind=DROP), "kind is missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_said_where(name: str) -> None:
    document, message = REFUSED[name]

    with pytest.raises(InputError, match=r"all\.yaml: ") as raised:
        a_release(ROLE if "namespace too" not in name else CONFIG, document)
    assert message in str(raised.value)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(InputError) as raised:
        a_release(*(altered(CONFIG, metadata__name=f"n{i}", metadata__uid="1") for i in range(12)))
    assert str(raised.value).count("sets metadata.uid") == 10
    assert "and 2 more" in str(raised.value)


def test_two_versions_of_one_object_are_one_object_too_many() -> None:
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
    }
    older = {**ingress, "apiVersion": "networking.k8s.io/v1beta1"}

    with pytest.raises(InputError, match="stands in a already"):
        build([("a", ingress), ("b", older)], TERMS)


def test_nothing_is_no_release() -> None:
    with pytest.raises(InputError, match="no objects"):
        build([], TERMS)


def test_the_number_of_objects_is_bounded() -> None:
    many = named(altered(CONFIG, metadata__name=f"n{i}") for i in range(MAX_OBJECTS + 1))

    with pytest.raises(InputError, match="over 5000 objects"):
        build(many, TERMS)
    assert len(build(many[:-1], TERMS).objects) == MAX_OBJECTS


@pytest.mark.parametrize("text", ["uri", "uri@", "@" + "a" * 40, "uri@main", "uri@" + "A" * 40])
def test_a_source_names_a_whole_commit(text: str) -> None:
    with pytest.raises(InputError, match="names no commit"):
        Commit.parse(text)
    assert Commit.parse("uri@x@" + "a" * 64) == Commit("uri@x", "a" * 64)


def test_a_statement_that_no_bundle_could_hold_is_not_made() -> None:
    """A bundle is read back up to 1 MiB, and holds its statement in base64."""
    long = named(altered(CONFIG, metadata__name=f"{'n' * 60}{i}") for i in range(MAX_OBJECTS))

    with pytest.raises(InputError, match="make two stages"):
        payload_of(build(long, TERMS))


def test_the_largest_statement_fits_into_a_bundle() -> None:
    many = build(named(altered(CONFIG, metadata__name=f"n{i}") for i in range(MAX_OBJECTS)), TERMS)
    payload = payload_of(many)

    assert len(payload) > 500_000
    assert len(signer("ci").private.sign(payload).to_bytes()) <= MAX_BUNDLE
