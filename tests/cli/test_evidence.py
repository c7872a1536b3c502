"""`evidence ls` and `attach`: what lies beside an image, seen and added to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from stagepass.bundle import Bundle
from stagepass.cli.signed import Storage, storing
from stagepass.digest import Digest, ImageRef
from stagepass.predicates.members import STAGE_PASSED
from tests.cli.conftest import Result, Shop
from tests.registry.shop import beside
from tests.simulators.registry import Registry
from tests.world import (
    DIGEST,
    IMAGE,
    OTHER_DIGEST,
    PROVENANCE,
    STRANGER,
    signed_claim,
    signed_pass,
    stored,
)

APP = "shop/checkout"
PASS = signed_pass("test")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The registry of `image`."""
    monkeypatch.delenv("STAGEPASS_REGISTRIES", raising=False)
    with Registry() as running:
        yield running


@pytest.fixture
def image(registry: Registry) -> ImageRef:
    return ImageRef.parse(f"{registry.host}/{APP}@{registry.push_image(APP)}")


@pytest.fixture
def bundle(image: ImageRef) -> bytes:
    """A pass of the image in the registry."""
    return signed_pass("test", digest=image.digest or DIGEST)


@pytest.fixture
def file(shop: Shop, bundle: bytes) -> Path:
    """It, in a file, with spaces and a line break that nobody may lose."""
    path = shop.root / "bundle.json"
    path.write_bytes(json.dumps(json.loads(bundle), indent=2).encode() + b"\n")
    return path


def ls(shop: Shop, *arguments: str, image: str = str(IMAGE)) -> Result:
    where = ("--evidence", f"dir:{shop.evidence}")
    return shop.run("evidence", "ls", image, *where, "--output", "json", *arguments)


class TestLs:
    def test_with_a_policy_it_says_who_signed_what_where_and_when(self, shop: Shop) -> None:
        stored(shop.evidence, [PASS])
        result = ls(shop, "--policy", str(shop.policy))
        payload = Bundle.parse(PASS).envelope.payload

        assert result.code == 0
        assert result.line == {
            "image": str(IMAGE),
            "origin": str(shop.bundles()[0]),
            "predicateType": STAGE_PASSED,
            "payloadDigest": str(Digest.of(payload)),
            "pipeline": "shop",
            "stage": "test",
            "cluster": "test",
            "time": "2026-11-26T11:00:00Z",
            "expires": "2026-12-26T11:00:00Z",
            "counts": True,
            "signer": "test-cluster",
            "code": "",
            "message": "",
        }

    def test_without_a_policy_nothing_is_called_signed(self, shop: Shop) -> None:
        stored(shop.evidence, [PASS, signed_pass("staging", by=STRANGER)])

        assert [(line["counts"], line["signer"]) for line in ls(shop).lines] == [(None, "")] * 2

    @pytest.mark.parametrize(
        ("data", "code", "message"),
        [
            (signed_pass("test", by=STRANGER), "SIGNER_UNKNOWN", "no key of the policy set"),
            (signed_pass("test", digest=OTHER_DIGEST), "SUBJECT_MISMATCH", "another digest"),
            (PASS[:-1], "STATEMENT_INVALID", "not JSON"),
            (PASS.replace(b"v0.3", b"v0.2"), "STATEMENT_INVALID", "not a bundle v0.3"),
        ],
        ids=["stranger", "other digest", "junk", "other version"],
    )
    def test_what_does_not_count_says_why(
        self, shop: Shop, data: bytes, code: str, message: str
    ) -> None:
        stored(shop.evidence, [data])
        line = ls(shop, "--policy", str(shop.policy)).line

        assert (line["counts"], line["signer"], line["code"]) == (False, "", code)
        assert message in line["message"]

    def test_what_is_revoked_does_not_count(self, shop: Shop) -> None:
        stored(shop.evidence, [PASS])
        key = ("--key", shop.key("ci"), "--reason", "signed by mistake")
        revoked = ("--attestation", str(Digest.of(Bundle.parse(PASS).envelope.payload)))
        shop.run("revoke", str(shop.policy / "revoked.json"), *key, *revoked)
        (shop.policy / "revocations.yaml").write_text(
            "apiVersion: stagepass.dev/v1\nkind: Revocations\nfile: revoked.json\nfrom: [ci]\n"
        )
        line = ls(shop, "--policy", str(shop.policy)).line

        assert (line["counts"], line["code"]) == (False, "REVOKED")
        assert "signed by mistake" in line["message"]

    def test_of_other_predicate_types_it_says_the_type(self, shop: Shop) -> None:
        stored(shop.evidence, [signed_claim(PROVENANCE, "ci")])
        line = ls(shop, "--policy", str(shop.policy)).line

        assert (line["predicateType"], line["signer"]) == (PROVENANCE, "ci")
        assert (line["pipeline"], line["stage"], line["time"]) == ("", "", "")

    def test_people_get_a_table(self, shop: Shop) -> None:
        stored(shop.evidence, [PASS, signed_pass("staging", by=STRANGER)])
        where = ("--evidence", f"dir:{shop.evidence}", "--policy", str(shop.policy))
        lines = shop.run("evidence", "ls", str(IMAGE), *where).out.splitlines()

        assert lines[0].split()[:4] == ["PREDICATE", "TYPE", "SIGNED", "BY"]
        text = "\n".join(lines)
        assert "stage-passed/v1  test-cluster  shop/test/test" in text
        assert "does not count" in text
        assert "SIGNER_UNKNOWN: no key of the policy set verifies it; " in text

    def test_what_strangers_write_is_no_command_to_the_terminal(self, shop: Shop) -> None:
        """CVE-2021-25743; and square brackets are not markup."""
        changes = {"pipeline": "\x1b[2Jgone", "stage": "[red]x[/red]"}
        stored(shop.evidence, [signed_pass("test", changes=changes)])
        out = shop.run("evidence", "ls", str(IMAGE), "--evidence", f"dir:{shop.evidence}").out

        assert "\x1b" not in out
        assert "\\x1b[2Jgone/[red]x[/red]/test" in out

    def test_nothing_there_is_said_and_is_no_failure(self, shop: Shop) -> None:
        assert (ls(shop).code, ls(shop).out) == (0, "")
        result = shop.run("evidence", "ls", str(IMAGE), "--evidence", f"dir:{shop.evidence}")
        assert (result.code, result.out) == (0, f"no evidence about {IMAGE}\n")

    def test_what_cannot_be_read_is_undetermined_after_what_can(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes
    ) -> None:
        stored(shop.evidence, [bundle], image.digest or DIGEST)
        registry.faults.status = 500
        result = ls(shop, "--evidence", "registry", image=str(image))

        assert (result.code, len(result.lines)) == (2, 1)
        assert f"could not find out: REGISTRY_UNAVAILABLE: {registry.host} answered" in result.err
        assert ls(shop, "--evidence", "registry", "--offline", image=str(image)).code == 2

    def test_every_layout_of_a_registry_is_listed(
        self, shop: Shop, registry: Registry, image: ImageRef, file: Path
    ) -> None:
        how = ("--layout", "legacy", "--inline")
        assert shop.run("evidence", "attach", str(image), "--bundle", str(file), *how).code == 0
        registry.attach(APP, str(image.digest), b"junk", as_tag=True)
        result = shop.run("evidence", "ls", str(image), "--output", "json")
        origins = [line["origin"] for line in result.lines]

        assert result.code == 0
        assert [line["stage"] for line in result.lines] == ["test", "", "test"]
        assert origins[0].startswith(f"{image.name}@sha256:")
        assert f"{image.name}:{str(image.digest).replace(':', '-')}.att " in origins[2]

    def test_a_tag_is_refused(self, shop: Shop) -> None:
        assert ls(shop, image="registry.example.com/shop/checkout:1").code == 64


class TestAttach:
    def test_a_bundle_made_elsewhere_is_stored_unchanged(
        self, shop: Shop, image: ImageRef, file: Path
    ) -> None:
        result = shop.run(
            *("evidence", "attach", str(image), "--bundle", str(file), "--output", "json"),
            *("--evidence", "registry", "--evidence", f"dir:{shop.evidence}"),
        )

        assert (result.code, result.line["predicateType"]) == (0, STAGE_PASSED)
        assert beside(image) == [file.read_bytes()]
        assert [path.read_bytes() for path in shop.bundles()] == [file.read_bytes()]
        assert len(result.line["stored"]) == 2

    def test_people_are_told_so(self, shop: Shop, image: ImageRef, file: Path) -> None:
        result = shop.run("evidence", "attach", str(image), "--bundle", str(file))

        assert result.out.startswith(
            f"attached {STAGE_PASSED} of {image}\n  stored in {image.name}@"
        )

    def test_two_layouts_are_two_places(
        self, shop: Shop, registry: Registry, image: ImageRef, file: Path
    ) -> None:
        how = ("--layout", "legacy", "--inline", "--output", "json")
        result = shop.run("evidence", "attach", str(image), "--bundle", str(file), *how)
        tag = f"{str(image.digest).replace(':', '-')}.att"
        manifest = registry._api.repository(APP).manifest(
            result.line["stored"][0].rpartition("@")[2]
        )

        assert result.line["stored"][1] == f"{image.name}:{tag}"
        assert manifest
        assert "data" in json.loads(manifest[2])["layers"][0]
        assert registry._api.repository(APP).manifest(tag)

    @pytest.mark.parametrize(
        "content",
        [
            None,
            b"",
            b"junk",
            b"[]",
            b"x" * ((1 << 20) + 1),
            PASS,
            PASS.replace(b"v0.3", b"v0.2"),
            PASS.replace(b"in-toto+json", b"in-toto_json"),
        ],
        ids=["absent", "empty", "junk", "list", "big", "other digest", "v0.2", "payload type"],
    )
    def test_what_is_no_bundle_about_the_image_is_refused(
        self, shop: Shop, registry: Registry, image: ImageRef, content: bytes | None
    ) -> None:
        path = shop.root / "bundle.json"
        if content is not None:
            path.write_bytes(content)
        result = shop.run("evidence", "attach", str(image), "--bundle", str(path))

        assert (result.code, registry.requests) == (64, [])
        assert f"error: {path}: " in result.err

    def test_what_is_no_certificate_is_refused(
        self, shop: Shop, image: ImageRef, bundle: bytes
    ) -> None:
        path = shop.root / "bundle.json"
        changed = {**json.loads(bundle), "verificationMaterial": {"certificate": {"rawBytes": ""}}}
        path.write_text(json.dumps(changed))
        result = shop.run("evidence", "attach", str(image), "--bundle", str(path))

        assert result.code == 64
        assert "certificate" in result.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--offline"],
            ["--layout", "legacy", "--evidence", "dir:x"],
            ["--inline", "--evidence", "dir:x"],
            ["--layout", "other"],
        ],
    )
    def test_what_cannot_be_meant_is_refused(
        self, shop: Shop, registry: Registry, image: ImageRef, file: Path, arguments: list[str]
    ) -> None:
        result = shop.run("evidence", "attach", str(image), "--bundle", str(file), *arguments)

        assert (result.code, registry.requests) == (64, [])

    @pytest.mark.parametrize("status", [401, 429, 500])
    def test_a_registry_that_does_not_answer_is_undetermined(
        self, shop: Shop, registry: Registry, image: ImageRef, file: Path, status: int
    ) -> None:
        registry.faults.status = status
        result = shop.run("evidence", "attach", str(image), "--bundle", str(file))

        assert (result.code, result.out) == (2, "")
        assert "could not find out: REGISTRY_UNAVAILABLE: " in result.err


def test_a_signing_command_takes_the_layout_by_one_decorator() -> None:
    """Without a parameter of its own: what is stored is stored as the command line says."""
    seen: list[Any] = []

    @click.command()
    @storing
    def command() -> None:
        seen.append(Storage.asked_for())

    for arguments in ([], ["--layout", "legacy"], ["--inline"], ["--layout", "bundle"]):
        command.main(arguments, standalone_mode=False)

    assert seen == [Storage(), Storage(True, False), Storage(False, True), Storage()]
    assert Storage.asked_for() == Storage()
