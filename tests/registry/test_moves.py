"""`evidence copy` and `mirror`: evidence in another registry, and in a directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stagepass.digest import ImageRef
from stagepass.evidence import Deadline, DirectorySource
from stagepass.predicates.members import STAGE_PASSED
from tests.cli import conftest
from tests.cli.conftest import Result, Shop
from tests.cli.test_evidence import APP, PASS
from tests.registry.shop import beside
from tests.simulators.registry import Registry
from tests.world import DIGEST, IMAGE, PROVENANCE, signed_claim, signed_pass, stored

shop = conftest.shop


@pytest.fixture
def registry(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.delenv("STAGEPASS_REGISTRIES", raising=False)
    return registry


@pytest.fixture
def image(registry: Registry) -> ImageRef:
    return ImageRef.parse(f"{registry.host}/{APP}@{registry.push_image(APP)}")


@pytest.fixture
def bundle(image: ImageRef) -> bytes:
    """A pass of the image in the registry."""
    return signed_pass("test", digest=image.digest or DIGEST)


class TestCopy:
    @pytest.fixture
    def target(self) -> Iterator[Registry]:
        """Another registry, which has the image."""
        with Registry() as running:
            running.push_image("mirror/app")
            yield running

    def copy(self, shop: Shop, image: ImageRef, target: Registry, *arguments: str) -> Result:
        to = f"{target.host}/mirror/app"
        return shop.run("evidence", "copy", str(image), to, "--output", "json", *arguments)

    def there(self, image: ImageRef, target: Registry) -> list[bytes]:
        return beside(ImageRef.parse(f"{target.host}/mirror/app@{image.digest}"))

    def test_every_bundle_is_copied_unchanged_and_once(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes, target: Registry
    ) -> None:
        more = signed_claim(PROVENANCE, "ci", digest=image.digest or DIGEST)
        registry.attach(APP, str(image.digest), bundle)
        registry.attach(APP, str(image.digest), more, as_tag=True)
        first, again = self.copy(shop, image, target), self.copy(shop, image, target)

        assert (first.code, again.code) == (0, 0)
        assert sorted(self.there(image, target)) == sorted([bundle, more])
        assert all(line["stored"].startswith(f"{target.host}/mirror/app@") for line in first.lines)
        assert [line["stored"] for line in again.lines] == ["", ""]

    def test_an_envelope_in_two_layouts_is_copied_once(
        self, shop: Shop, image: ImageRef, bundle: bytes, target: Registry
    ) -> None:
        file = shop.root / "bundle.json"
        file.write_bytes(bundle)
        what = (str(image), "--bundle", str(file), "--layout", "legacy")
        assert shop.run("evidence", "attach", *what).code == 0
        result = self.copy(shop, image, target)

        assert self.there(image, target) == [bundle]
        assert [bool(line["stored"]) for line in result.lines] == [True, False]

    def test_what_no_policy_would_accept_is_left_behind_and_said(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes, target: Registry
    ) -> None:
        registry.attach(APP, str(image.digest), b"junk")
        registry.attach(APP, str(image.digest), PASS)
        registry.attach(APP, str(image.digest), bundle)
        result = self.copy(shop, image, target)
        text = shop.run("evidence", "copy", str(image), f"{target.host}/mirror/app").out

        assert result.code == 0
        assert [line["code"] for line in result.lines] == [
            "STATEMENT_INVALID",
            "SUBJECT_MISMATCH",
            "",
        ]
        assert self.there(image, target) == [bundle]
        assert f"left out {image.name}@sha256:" in text
        assert f"{STAGE_PASSED} of {image} is there already\n" in text

    def test_a_registry_without_the_api_gets_the_tag(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes, target: Registry
    ) -> None:
        target.faults.referrers = False
        registry.attach(APP, str(image.digest), bundle)

        assert self.copy(shop, image, target).code == 0
        assert self.there(image, target) == [bundle]

    def test_the_image_has_to_be_there(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes
    ) -> None:
        registry.attach(APP, str(image.digest), bundle)
        with Registry() as empty:
            result = self.copy(shop, image, empty)

        assert result.code == 64
        assert "no such image" in result.err

    @pytest.mark.parametrize("which", ["source", "target"])
    def test_a_registry_that_does_not_answer_is_undetermined(
        self, shop: Shop, registry: Registry, image: ImageRef, target: Registry, which: str
    ) -> None:
        {"source": registry, "target": target}[which].faults.status = 503
        result = self.copy(shop, image, target)

        assert (result.code, result.out) == (2, "")
        assert "answered 503" in result.err

    def test_a_write_that_fails_is_undetermined(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes, target: Registry
    ) -> None:
        registry.attach(APP, str(image.digest), bundle)
        target.faults.path_status = {"blobs/uploads": 403}

        assert self.copy(shop, image, target).code == 2

    @pytest.mark.parametrize("name", ["a.test/x:1", f"a.test/x@{DIGEST}", "UPPER"])
    def test_a_target_is_a_repository(
        self, shop: Shop, registry: Registry, image: ImageRef, name: str
    ) -> None:
        result = shop.run("evidence", "copy", str(image), name)

        assert (result.code, registry.requests) == (64, [])

    def test_it_brings_back_what_a_mirror_took_out(
        self, shop: Shop, image: ImageRef, bundle: bytes, target: Registry
    ) -> None:
        stored(shop.evidence, [bundle], image.digest or DIGEST)
        result = self.copy(shop, image, target, "--evidence", f"dir:{shop.evidence}")

        assert result.code == 0
        assert self.there(image, target) == [bundle]


class TestMirror:
    def mirror(self, shop: Shop, *images: ImageRef | str) -> Result:
        to = ("--to", f"dir:{shop.root}/gap")
        return shop.run("evidence", "mirror", *map(str, images), *to, "--output", "json")

    def test_what_lies_beside_images_is_in_the_directory_unchanged(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes
    ) -> None:
        second = ImageRef.parse(f"{registry.host}/{APP}@{registry.push_image(APP, b'second')}")
        other = signed_claim(PROVENANCE, "ci", digest=second.digest or DIGEST)
        registry.attach(APP, str(image.digest), bundle)
        registry.attach(APP, str(image.digest), b"junk")
        registry.attach(APP, str(second.digest), other, as_tag=True)
        result = self.mirror(shop, image, second)
        self.mirror(shop, image, second)

        assert result.code == 0
        assert [line["code"] for line in result.lines] == ["", "STATEMENT_INVALID", ""]
        for each, data in ((image, bundle), (second, other)):
            (path,) = (shop.root / "gap" / str(each.digest).replace(":", "-")).iterdir()
            assert path.read_bytes() == data
            assert str(path) in {line["stored"] for line in result.lines}

    def test_a_gate_without_a_registry_admits_by_it(
        self, shop: Shop, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From the registry by its mirror, over the directory, to `verify --offline`."""
        monkeypatch.setenv("STAGEPASS_REGISTRIES", f"registry.example.com={registry.url}")
        for data in (PASS, signed_pass("staging")):
            registry.attach(APP, str(DIGEST), data)
        result = self.mirror(shop, IMAGE)
        assert result.code == 0
        where = ("--policy", str(shop.policy), "--evidence", f"dir:{shop.root}/gap", "--offline")
        place = ("--stage", "staging", "--now", "2026-11-26T12:00:00Z")
        decision = shop.run("verify", str(IMAGE), *where, *place, "--output", "json").line

        assert decision["decision"] == "admitted"

    def test_one_that_cannot_be_read_keeps_no_other(
        self, shop: Shop, registry: Registry, image: ImageRef, bundle: bytes
    ) -> None:
        bad = registry.push_image(APP, b"bad")
        registry.attach(APP, str(image.digest), bundle)
        registry.faults.path_status = {bad: 500}
        result = self.mirror(shop, f"{registry.host}/{APP}@{bad}", image)

        assert (result.code, len(result.lines)) == (2, 1)
        source = DirectorySource(shop.root / "gap")
        assert image.digest
        (batch,) = source.batches(image, image.digest, frozenset(), Deadline.after(5))
        assert [candidate.data for candidate in batch] == [bundle]

    @pytest.mark.parametrize("to", ["registry", "dir:", "gap", ""])
    def test_a_target_is_a_directory(self, shop: Shop, image: ImageRef, to: str) -> None:
        assert shop.run("evidence", "mirror", str(image), "--to", to).code == 64

    def test_there_has_to_be_an_image(self, shop: Shop) -> None:
        assert shop.run("evidence", "mirror", "--to", "dir:x").code == 64
