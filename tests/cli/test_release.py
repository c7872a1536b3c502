"""`stagepass release`: build, attest, verify, diff and show, as a pipeline uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stagepass.digest import Digest, ImageRef
from stagepass.release.artifact import line_digest
from tests.cli.conftest import Result, Shop
from tests.registry.shop import beside
from tests.release.samples import (
    CHECKOUT,
    COMMIT,
    CONFIG,
    OBJECTS,
    REPOSITORY,
    SECRET,
    altered,
)
from tests.simulators.registry import Registry
from tests.world import STRANGER, write_policy

SOURCE = f"{COMMIT.uri}@{COMMIT.commit}"
HEX = 64


class Releases:
    """The shop with releases: who builds, who signs, and where they are kept."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.built = shop, shop.root / "built"
        self.policy_with()

    def policy_with(self, **rule: object) -> None:
        release = {"from": ["ci"], **rule}
        changes = {"pipeline.stages.0.release": release, "pipeline.stages.0.manifests": "required"}
        write_policy(self.shop.policy, changes)

    def file(self, *objects: object, name: str = "all.yaml") -> str:
        path = self.shop.root / name
        path.write_text(yaml.safe_dump_all(objects or OBJECTS, allow_unicode=True))
        return str(path)

    def build(self, *files: str, to: Path | None = None, policy: bool = True) -> Result:
        what = ["--pipeline", "shop", "--stage", "test", "--source", SOURCE, "--path", "test"]
        checked = ["--policy", str(self.shop.policy)] if policy else []
        where = ["--output-dir", str(to or self.built), *checked, "--output", "json"]
        return self.shop.run("release", "build", *files, *what, *where)

    def attest(self, *arguments: str, key: str = "ci", built: Path | None = None) -> Result:
        by = ["--key", self.shop.key(key), "--policy", str(self.shop.policy)]
        return self.shop.run(
            "release", "attest", str(built or self.built), *by, *arguments, "--output", "json"
        )

    def verify(self, operand: str, *arguments: str) -> Result:
        options = ["--policy", str(self.shop.policy), "--output", "json"]
        return self.shop.run("release", "verify", operand, *options, *arguments)

    @property
    def directory(self) -> list[str]:
        return ["--evidence", f"dir:{self.shop.evidence}", "--offline"]


@pytest.fixture
def releases(shop: Shop) -> Releases:
    return Releases(shop)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.delenv("STAGEPASS_REGISTRIES", raising=False)
    with Registry() as running:
        yield running


def digests(result: Result) -> tuple[str, ...]:
    return tuple(result.line[name] for name in ("release", "artifact", "line", "imageSet"))


def test_a_release_is_built_signed_and_verified_in_a_directory(releases: Releases) -> None:
    built = releases.build(releases.file())
    signed = releases.attest(*releases.directory)
    from_folder = releases.verify(str(releases.built), *releases.directory)
    from_digest = releases.verify(f"{REPOSITORY}@{signed.line['artifact']}", *releases.directory)

    assert [each.code for each in (built, signed, from_folder, from_digest)] == [0, 0, 0, 0]
    assert digests(built) == digests(signed) == digests(from_folder) == digests(from_digest)
    assert (built.line["objects"], built.line["images"]) == (3, 2)
    assert from_digest.line["signer"] == "ci"
    assert from_digest.line["decision"] == "admitted"
    text = (releases.built / "release.json").read_bytes()
    assert built.line["release"] == str(Digest.of(text))
    assert built.line["line"] == str(line_digest("shop", "test"))


def test_a_release_is_pushed_to_the_repository_of_the_policy(
    releases: Releases, registry: Registry
) -> None:
    name = f"{registry.host}/shop/releases"
    releases.policy_with(repository=name)
    releases.build(releases.file())
    signed = releases.attest()
    statement = json.loads((releases.built / "statement.json").read_text())

    assert (signed.code, signed.line["repository"]) == (0, name)
    assert statement["subject"][1]["name"] == name
    for operand in (f"{name}@{signed.line['artifact']}", str(releases.built)):
        found = releases.verify(operand)
        assert (found.code, found.line["signer"]) == (0, "ci")
    shown = releases.shop.run("release", "show", f"{name}@{signed.line['artifact']}")
    assert "not verified" in shown.out
    assert "apps/v1/Deployment/shop/checkout" in shown.out


def test_to_attest_again_adds_nothing(releases: Releases, registry: Registry) -> None:
    """ECDSA never signs twice alike: a job that is run again would fill the line of its stage."""
    name = f"{registry.host}/shop/releases"
    releases.build(releases.file())
    where = ["--repository", name, "--evidence", f"dir:{releases.shop.evidence}"]
    first = releases.attest(*where, "--evidence", "registry")
    files = sorted(releases.shop.evidence.rglob("*"))
    again = releases.attest(*where, "--evidence", "registry")
    image = ImageRef.parse(f"{name}@{first.line['line']}")

    assert (first.code, again.code) == (0, 0)
    assert (len(first.line["stored"]), again.line["stored"]) == (6, [])
    assert sorted(releases.shop.evidence.rglob("*")) == files
    assert len(beside(image)) == 1


def test_what_was_lost_is_stored_again_with_the_same_signature(releases: Releases) -> None:
    releases.build(releases.file())
    first = releases.attest(*releases.directory)
    folder = releases.shop.evidence / f"sha256-{first.line['line'].removeprefix('sha256:')}"
    (bundle,) = folder.iterdir()
    bundle.unlink()
    again = releases.attest(*releases.directory)

    assert (again.code, str(bundle) in again.line["stored"]) == (0, True)
    assert bundle.exists()


def test_repository_says_where_to_push_without_a_policy(
    releases: Releases, registry: Registry
) -> None:
    releases.build(releases.file(), policy=False)
    name = f"{registry.host}/elsewhere"
    key = ["--key", releases.shop.key(STRANGER), "--repository", name]
    signed = releases.shop.run("release", "attest", str(releases.built), *key)

    assert signed.code == 0, signed.err
    found = releases.verify(f"{name}@{artifact(releases)}")
    assert (found.code, found.line["decision"]) == (1, "denied")
    assert found.line["reasons"][0]["code"] == "SIGNER_UNKNOWN"


def artifact(releases: Releases) -> str:
    statement = json.loads((releases.built / "statement.json").read_text())
    return f"sha256:{statement['subject'][1]['digest']['sha256']}"


def test_a_key_that_policy_does_not_name_signs_nothing(releases: Releases) -> None:
    releases.build(releases.file())
    refused = releases.attest(*releases.directory, key="scanner")

    assert (refused.code, refused.line["decision"]) == (1, "denied")
    assert refused.line["reasons"][0]["code"] == "SIGNER_UNKNOWN"
    assert not releases.shop.evidence.exists()


def test_what_another_key_signed_is_denied(releases: Releases) -> None:
    releases.build(releases.file())
    key = ["--key", releases.shop.key("scanner")]
    releases.shop.run("release", "attest", str(releases.built), *key, *releases.directory)
    found = releases.verify(str(releases.built), *releases.directory)

    assert (found.code, found.line["decision"]) == (1, "denied")
    assert "the key is none of ci" in found.line["reasons"][0]["message"]


def test_what_nobody_signed_is_denied(releases: Releases) -> None:
    releases.build(releases.file())
    found = releases.verify(str(releases.built), *releases.directory)

    assert (found.code, found.line["reasons"]) == (1, [])


def test_a_registry_that_is_not_asked_leaves_it_undetermined(releases: Releases) -> None:
    image = f"{REPOSITORY}@sha256:{'0' * HEX}"
    found = releases.verify(image, "--offline")

    assert (found.code, found.line["decision"]) == (2, "undetermined")


def test_missing_objects_leave_it_undetermined(releases: Releases) -> None:
    releases.build(releases.file())
    releases.attest(*releases.directory)
    blob = Digest.of((releases.built / "objects.json").read_bytes()).hex
    path = releases.shop.evidence / "blobs" / "sha256" / blob
    path.write_bytes(path.read_bytes()[:-1])

    found = releases.verify(str(releases.built), *releases.directory)
    assert (found.code, found.line["decision"]) == (2, "undetermined")
    path.unlink()
    assert releases.verify(str(releases.built), *releases.directory).code == 2


@pytest.mark.parametrize("name", ["release.json", "objects.json", "statement.json"])
def test_a_built_release_that_was_touched_is_not_signed(releases: Releases, name: str) -> None:
    releases.build(releases.file())
    path = releases.built / name
    path.write_bytes(path.read_bytes().replace(b"checkout", b"checkin!"))

    assert releases.attest(*releases.directory).code == 64
    assert not releases.shop.evidence.exists()
    path.unlink()
    assert releases.attest(*releases.directory).code == 64


def test_a_secret_goes_in_only_where_policy_says_so(releases: Releases) -> None:
    file = releases.file(*OBJECTS, SECRET)
    for result in (releases.build(file), releases.build(file, policy=False)):
        assert result.code == 64
        assert "is a Secret with values (password)" in result.err
        assert "hunter2" not in result.err
    releases.policy_with(secrets="salted")

    assert releases.build(file).code == 0
    assert releases.attest(*releases.directory).code == 0
    assert releases.verify(str(releases.built), *releases.directory).code == 0
    for path in releases.shop.root.rglob("*.json"):
        assert b"hunter2" not in path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pipeline", "shopp"], "did you mean 'shop'"),
        (["--stage", "tests"], "did you mean 'test'"),
        (["--stage", "staging"], "takes no releases"),
        (["--source", "uri@main"], "names no commit"),
        (["--path", ""], "must not be empty"),
        (["--path", "caf\udce9"], r"--path 'caf\udce9' is not UTF-8"),
        (["--stage", "\udcff"], r"--stage '\udcff' is not UTF-8"),
        (["--source", f"\udcff{SOURCE}"], "is not UTF-8"),
    ],
)
def test_a_wrong_word_is_said(releases: Releases, arguments: list[str], message: str) -> None:
    what = ["--pipeline", "shop", "--stage", "test", "--source", SOURCE, "--path", "test"]
    where = ["--output-dir", str(releases.built), "--policy", str(releases.shop.policy)]
    result = releases.shop.run("release", "build", releases.file(), *what, *where, *arguments)

    assert result.code == 64
    assert message in result.err
    assert not releases.built.exists()


def test_no_repository_is_guessed(releases: Releases) -> None:
    releases.build(releases.file())

    assert "no repository is known" in releases.attest().err
    assert "no repository is known" in releases.verify(str(releases.built)).err
    assert releases.attest("--offline", "--repository", REPOSITORY).code == 64


def test_two_releases_are_compared(releases: Releases) -> None:
    old, new = releases.shop.root / "old", releases.shop.root / "new"
    changed = altered(
        OBJECTS[0], spec__replicas=9, spec__template__spec__containers__0__args=["-x"]
    )
    releases.build(releases.file(), to=old)
    releases.build(releases.file(changed, CONFIG), to=new)
    as_json = releases.shop.run("release", "diff", str(old), str(new), "--output", "json")
    as_text = releases.shop.run("release", "diff", str(old), str(new))
    alike = releases.shop.run("release", "diff", str(old), str(old))

    assert (as_json.code, as_text.code, alike.code) == (1, 1, 0)
    assert as_json.line["removed"] == ["rbac.authorization.k8s.io/v1/ClusterRole//shop-reader"]
    assert as_json.line["changed"] == {
        "apps/v1/Deployment/shop/checkout": [
            {"path": "spec.replicas", "old": 2, "new": 9},
            {
                "path": "spec.template.spec.containers[name=web].args[0]",
                "old": "--port",
                "new": "-x",
            },
            {"path": "spec.template.spec.containers[name=web].args[1]", "old": "8080"},
        ]
    }
    assert "changed  apps/v1/Deployment/shop/checkout" in as_text.out
    assert "spec.template.spec.containers[name=web].args[0]" in as_text.out
    assert "objects: 1 removed, 1 changed" in as_text.out
    assert "\x1b" not in as_text.out


def test_a_release_is_compared_from_where_it_is_stored(releases: Releases) -> None:
    releases.build(releases.file())
    signed = releases.attest(*releases.directory)
    stored = f"{REPOSITORY}@{signed.line['artifact']}"

    alike = releases.shop.run("release", "diff", str(releases.built), stored, *releases.directory)
    assert (alike.code, "the same objects" in alike.out) == (0, True)
    other = f"{REPOSITORY}@sha256:{'0' * HEX}"
    assert releases.shop.run("release", "show", other, *releases.directory).code == 2


def test_a_release_is_shown_with_its_signer(releases: Releases) -> None:
    releases.build(releases.file())
    releases.attest(*releases.directory)
    options = ["--policy", str(releases.shop.policy), *releases.directory]
    shown = releases.shop.run("release", "show", str(releases.built), *options, "--output", "json")

    assert shown.code == 0
    assert shown.line["signer"] == "ci"
    assert shown.line["stored"].endswith("Z")
    assert [each["name"] for each in shown.line["resources"]] == [
        "apps/v1/Deployment/shop/checkout",
        "rbac.authorization.k8s.io/v1/ClusterRole//shop-reader",
        "v1/ConfigMap/shop/settings",
    ]
    assert len(shown.line["images"]) == 2
    assert ImageRef.parse(CHECKOUT).name in [each["name"] for each in shown.line["images"]]


@pytest.mark.parametrize("name", ["artifact", "release"])
def test_a_revoked_release_is_denied(releases: Releases, name: str) -> None:
    releases.build(releases.file())
    signed = releases.attest(*releases.directory)
    listed = releases.shop.policy / "revoked.json"
    revoke = ["--key", releases.shop.key("ci"), "--artifact", signed.line[name]]
    revoked = releases.shop.run("revoke", str(listed), *revoke, "--reason", "bad configuration")
    assert revoked.code == 0, revoked.err
    text = (releases.shop.policy / "policy.yaml").read_text()
    rule = "apiVersion: stagepass.dev/v1\nkind: Revocations\nfile: revoked.json\nfrom: [ci]\n"
    (releases.shop.policy / "policy.yaml").write_text(f"{text}\n---\n{rule}")

    found = releases.verify(str(releases.built), *releases.directory)
    assert (found.code, found.line["reasons"][0]["code"]) == (1, "REVOKED")
