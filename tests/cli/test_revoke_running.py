"""`revoke --running`: what would die, named before the list is written."""

from __future__ import annotations

import json

import pytest

from stagepass.bundle import Bundle
from stagepass.digest import Digest
from tests.cli.conftest import Result, Shop
from tests.cli.test_revoke import DOCUMENT, listed, revoke, target
from tests.core.objects import containers, pod
from tests.policy.signed import PEOPLE, full_evidence, receipt, write_shop
from tests.world import DIGEST, IMAGE, OTHER_DIGEST, OTHER_IMAGE, signer, stored

HERE = f"{IMAGE} in prod-eu/shop"


@pytest.fixture
def full(shop: Shop) -> Shop:
    """The shop in full, with a list that it names, and IMAGE admitted to production."""
    write_shop(shop.root, {}, DOCUMENT)
    stored(shop.evidence, full_evidence())
    for name in (*PEOPLE, "staging-cluster"):
        (shop.root / f"{name}.pub").write_bytes(signer(name).public_pem)
    return shop


def running(shop: Shop, *images: object) -> list[str]:
    """The options for what runs in prod-eu, each image in two Pods."""
    pods = [pod({"containers": containers(str(each))}) for each in images for _ in range(2)]
    path = shop.root / "running.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    where = ["--policy", str(shop.policy), "--evidence", f"dir:{shop.evidence}"]
    return ["--running", str(path), "--cluster", "prod-eu", *where]


def lost(result: Result) -> list[str]:
    """Of every stranded image, the code of the first reason."""
    lines = [line for line in result.out.splitlines() if line.startswith("stranded")]
    assert f"{len(lines)} running images would be stranded" in result.out
    return [line.removeprefix(f"stranded  {HERE}: ").split(":")[0] for line in lines]


def test_what_a_stolen_key_let_in_is_named(full: Shop) -> None:
    """What was refused before dies of nothing new."""
    public = ["--public-key", str(full.root / "staging-cluster.pub"), "--reason", "stolen"]
    result = revoke(full, *public, *running(full, IMAGE, OTHER_IMAGE))

    assert (result.code, lost(result), len(listed(full).entries)) == (0, ["PASS_MISSING"], 1)
    assert lost(revoke(full, *public, *running(full, IMAGE))) == []


def test_an_image_or_a_statement_is_named_by_what_it_let_in(full: Shop) -> None:
    scan = Digest.of(Bundle.parse(full_evidence()[-1]).envelope.payload)
    dry = ["--reason", "x", "--dry-run", *running(full, IMAGE)]

    assert lost(revoke(full, "--artifact", str(DIGEST), *dry)) == ["REVOKED"]
    assert lost(revoke(full, "--artifact", str(OTHER_DIGEST), *dry)) == []
    assert lost(revoke(full, "--attestation", str(scan), *dry)) == ["REQUIREMENT_MISSING"]


def test_what_stays_by_another_signature_does_not_die(full: Shop) -> None:
    first = Digest.of(Bundle.parse(receipt()).envelope.payload)
    stored(full.evidence, [receipt()])
    arguments = ["--attestation", str(first), "--reason", "x", *running(full, IMAGE)]

    assert lost(revoke(full, *arguments)) == []


def test_a_dry_run_writes_nothing(full: Shop) -> None:
    arguments = ["--artifact", str(DIGEST), "--reason", "x", "--dry-run"]
    result = revoke(full, *arguments, *running(full, IMAGE))

    assert (result.code, target(full).exists()) == (0, False)
    assert result.out.splitlines()[-1] == f"{target(full)}: not written (--dry-run)"


def test_in_an_empty_cluster_nothing_dies(full: Shop) -> None:
    result = revoke(full, "--artifact", str(DIGEST), "--reason", "x", *running(full))

    assert result.code == 0
    assert result.out.splitlines()[:2] == ["nothing runs", "0 running images would be stranded"]


def test_what_nothing_enforces_does_not_die(full: Shop) -> None:
    """A revocation is enforced as its stage is: in an audit stage it is told and refuses nothing."""
    write_shop(full.root, {"pipeline.stages.2.enforcement": "audit"}, DOCUMENT)
    result = revoke(full, "--artifact", str(DIGEST), "--reason", "x", *running(full, IMAGE))

    assert (result.code, lost(result)) == (0, [])


def _stranger(shop: Shop, options: list[str]) -> tuple[str, list[str]]:
    assert (shop.root / "private" / "carol.key").exists()
    return "carol", options


def _elsewhere(shop: Shop, options: list[str]) -> tuple[str, list[str]]:
    other = shop.root / "other"
    write_shop(other)
    return "security", [str(other / "policy") if o == str(shop.policy) else o for o in options]


def _no_list(shop: Shop, options: list[str]) -> tuple[str, list[str]]:
    (shop.policy / "more.yaml").unlink()
    return "security", options


def _no_cluster(shop: Shop, options: list[str]) -> tuple[str, list[str]]:
    at = options.index("--cluster")
    assert shop.policy.exists()
    return "security", [*options[:at], *options[at + 2 :]]


def _no_file(shop: Shop, options: list[str]) -> tuple[str, list[str]]:
    (shop.root / "running.json").unlink()
    return "security", options


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_stranger, "carol, who may not revoke"),
        (_elsewhere, "give the directory that FILE lies in"),
        (_no_list, "names no revocation list"),
        (_no_cluster, "--running needs --policy, and --cluster"),
        (_no_file, "running.json: cannot read"),
    ],
)
def test_where_it_cannot_be_said_nothing_is_written(
    full: Shop, change: object, reason: str
) -> None:
    assert callable(change)
    by, options = change(full, running(full, IMAGE))
    result = revoke(full, "--artifact", str(DIGEST), "--reason", "x", *options, by=by)

    assert (result.code, target(full).exists()) == (64, False)
    assert reason in result.err
