"""`--release`: a statement that names its release, and what it is refused for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stagepass import canonical
from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.digest import Digest
from tests.cli.conftest import Result, Shop
from tests.policy.signed import approval, receipt, scan, write_shop
from tests.policy.test_manifests import named
from tests.world import (
    DAY,
    IMAGE,
    NOW,
    OTHER_IMAGE,
    PROVENANCE,
    signed_claim,
    signed_pass,
    stored,
)

IMAGES = [{"name": IMAGE.name, "digest": {"sha256": str(IMAGE.digest).removeprefix("sha256:")}}]
RESOURCE = {"name": "apps/v1/Deployment/shop/checkout", "digest": {"sha256": "ab" * 32}}
TEXT = canonical.dumps({"images": IMAGES, "resources": [RESOURCE]})
RELEASE, IMAGE_SET = Digest.of(TEXT), Digest.of(canonical.dumps(IMAGES))
OTHER = Digest.of(b"other")
REQUIRED = {
    f"pipeline.stages.{n}.{name}": value
    for n in (0, 1, 2)
    for name, value in (("manifests", "required"), ("release", {"from": ["scanner"]}))
}
HERE = ["--stage", "production", "--cluster", "prod-eu", "--namespace", "shop"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "build" / "release.json"
    path.parent.mkdir()
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def strict(shop: Shop) -> Shop:
    """The shop in full, where every stage asks for releases."""
    write_shop(shop.root, REQUIRED)
    return shop


def evidence(images: Digest = IMAGE_SET, approved: Digest = RELEASE) -> list[bytes]:
    """What production asks for, of a release."""
    passes = [signed_pass(s, changes=named(OTHER, images)) for s in ("test", "staging")]
    people = [approval(who, changes=named(approved, None)) for who in ("alice", "bob")]
    return [signed_claim(PROVENANCE, "ci"), scan(), *passes, *people]


def signed(shop: Shop) -> dict[str, Any]:
    """The predicate of the only bundle."""
    (path,) = shop.bundles()
    return dict(json.loads(Bundle.parse(path.read_bytes()).envelope.payload)["predicate"])


def newest(shop: Shop, before: list[Path]) -> dict[str, Any]:
    (path,) = set(shop.bundles()) - set(before)
    return dict(json.loads(Bundle.parse(path.read_bytes()).envelope.payload)["predicate"])


def run(shop: Shop, command: str, by: str, *arguments: str, policy: bool = True) -> Result:
    checked = ["--policy", str(shop.policy)] if policy else []
    return shop.run(
        *(command, str(IMAGE), "--key", shop.key(by), *checked),
        *("--evidence", f"dir:{shop.evidence}", "--now", format_time(NOW), "--output", "json"),
        *arguments,
    )


@pytest.mark.parametrize("whole", [False, True])
def test_a_pass_names_its_release_and_image_set(shop: Shop, file: Path, whole: bool) -> None:
    path = str(file.parent if whole else file)
    where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
    assert run(shop, "attest", "test-cluster", *where, "--release", path, policy=False).code == 0

    assert signed(shop)["release"] == named(RELEASE, IMAGE_SET)["release"]


def test_a_receipt_and_an_approval_name_the_release(shop: Shop, file: Path) -> None:
    release = ["--release", str(file)]
    place = [*HERE, "--pipeline", "shop"]
    assert run(shop, "enter", "prod-eu", *place, *release, policy=False).code == 0
    assert signed(shop)["release"] == named(RELEASE, None)["release"]
    before, place = shop.bundles(), ["--stage", "production", "--pipeline", "shop"]
    assert run(shop, "approve", "ci", *place, *release, policy=False).code == 0
    assert newest(shop, before)["release"] == named(RELEASE, None)["release"]


def test_without_it_no_release_is_named(shop: Shop) -> None:
    where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
    assert run(shop, "attest", "test-cluster", *where, policy=False).code == 0

    assert "release" not in signed(shop)


@pytest.mark.parametrize("command", ["attest", "enter", "approve"])
def test_where_manifests_are_required_a_statement_without_a_release_is_not_signed(
    strict: Shop, command: str
) -> None:
    stored(strict.evidence, evidence())
    before = strict.bundles()
    by, here = ("alice", HERE[:2]) if command == "approve" else ("prod-eu", HERE)
    result = run(strict, command, by, *here)

    assert (result.code, strict.bundles()) == (64, before)
    assert "this would name none" in result.err
    assert "--release release.json" in result.err


@pytest.mark.parametrize("command", ["attest", "enter"])
@pytest.mark.parametrize(
    ("bundles", "code"),
    [
        (evidence(), 0),
        (evidence(images=OTHER), 1),
        (evidence(approved=OTHER), 1),
        (evidence()[:4], 1),
    ],
)
def test_a_release_is_signed_for_only_by_evidence_of_it(
    strict: Shop, file: Path, command: str, bundles: list[bytes], code: int
) -> None:
    """A pass of another combination would launder it."""
    stored(strict.evidence, bundles)
    before = strict.bundles()
    result = run(strict, command, "prod-eu", *HERE, "--release", str(file))

    assert result.code == code
    assert len(strict.bundles()) == len(before) + (code == 0)


def test_a_receipt_is_renewed_for_the_release_it_names(strict: Shop, file: Path) -> None:
    stored(strict.evidence, evidence())
    assert run(strict, "enter", "prod-eu", *HERE, "--release", str(file)).code == 0
    before = strict.bundles()
    assert run(strict, "enter", "prod-eu", *HERE, "--renew", "--valid-for", "9d").code == 0
    again = newest(strict, before)

    assert again["release"] == named(RELEASE, None)["release"]
    assert again["expires"] == format_time(NOW + 9 * DAY)


def test_of_receipts_for_several_releases_the_one_asked_for_is_renewed(
    strict: Shop, file: Path
) -> None:
    older, newer = NOW - 2 * DAY, NOW - DAY
    stored(strict.evidence, evidence())
    stored(
        strict.evidence,
        [
            receipt(entered=older, changes=named(RELEASE, None)),
            receipt(entered=newer, changes=named(OTHER, None)),
        ],
    )
    before = strict.bundles()
    assert run(strict, "enter", "prod-eu", *HERE, "--renew", "--release", str(file)).code == 0
    asked = newest(strict, before)
    assert (asked["entered"], asked["release"]) == (
        format_time(older),
        named(RELEASE, None)["release"],
    )
    before = strict.bundles()
    assert run(strict, "enter", "prod-eu", *HERE, "--renew").code == 0
    last = newest(strict, before)
    assert (last["entered"], last["release"]) == (format_time(newer), named(OTHER, None)["release"])


def test_a_receipt_of_another_release_is_not_renewed_as_of_this(strict: Shop, file: Path) -> None:
    stored(strict.evidence, [*evidence(), receipt(changes=named(OTHER, None))])
    result = run(strict, "enter", "prod-eu", *HERE, "--renew", "--release", str(file))

    assert result.code == 1
    assert "REQUIREMENT_MISSING" in result.out


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot read"),
        (b"{}", "images and resources"),
        (TEXT + b"\n", "canonical"),
        (json.dumps(json.loads(TEXT)).encode(), "canonical"),
        (canonical.dumps({"images": [], "resources": [RESOURCE]}), "is no image of this release"),
        (
            canonical.dumps(
                {
                    "images": [{**IMAGES[0], "name": "registry.example.com/shop/cart"}],
                    "resources": [RESOURCE],
                }
            ),
            "is no image of this release",
        ),
        (b"junk", "JSON"),
    ],
)
def test_a_file_that_is_not_the_release_of_the_image_is_refused(
    shop: Shop, tmp_path: Path, data: bytes | None, message: str
) -> None:
    path = tmp_path / "release.json"
    if data is not None:
        path.write_bytes(data)
    where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
    result = run(shop, "attest", "test-cluster", *where, "--release", str(path), policy=False)

    assert (result.code, shop.bundles()) == (64, [])
    assert message in result.err
    assert str(path) in result.err


def test_another_image_is_no_image_of_the_release(shop: Shop, file: Path) -> None:
    where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
    result = shop.attest(
        "--key", shop.key("test-cluster"), *where, "--release", str(file), image=str(OTHER_IMAGE)
    )

    assert (result.code, shop.bundles()) == (64, [])


def test_a_foreign_predicate_names_no_release(shop: Shop, file: Path, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{}")
    kind = ["--type", "https://example.com/x", "--predicate", str(tmp_path / "p.json")]
    result = run(shop, "attest", "ci", *kind, "--release", str(file), policy=False)

    assert (result.code, shop.bundles()) == (64, [])
    assert "--release goes with --stage" in result.err
