"""The attempts of docs/threat-model.md: what stops them, and what the page says nothing stops."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stagepass.attestor import PublicKey
from stagepass.decision import Code
from stagepass.evidence import Evidence
from stagepass.policy.evaluate import evaluate
from stagepass.policy.load import PolicyError
from stagepass.policy.store import load_directory
from stagepass.policy.watermark import HighWater
from tests import world
from tests.docs.site import IMAGE, NOON, OLD_IMAGE, POLICY, SATURDAY, Site

ROOT_KEY = PublicKey.parse(world.signer("root").public_pem)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def proven(site: Site) -> Site:
    """The site with all that production asks for."""
    site.good()
    assert site.answer().decision == "admitted"
    return site


def test_a_stage_key_opens_the_next_step_and_no_other(site: Site) -> None:
    """The key of staging does not replace the pass of test, nor the approvals, nor the provenance."""
    site.passed("staging", "staging")
    site.passed("test", "staging")

    assert site.answer().codes == {
        "PASS_MISSING",
        "SIGNER_UNKNOWN",
        "APPROVALS_MISSING",
        "REQUIREMENT_MISSING",
    }


def test_a_receipt_lets_stay_where_it_was_entered_and_nowhere_else(proven: Site) -> None:
    """It counts in its cluster and namespace, by a key of that cluster."""
    proven.entered("prod-eu", cluster="prod-us")
    proven.entered("prod-eu", namespace="other")
    proven.entered("prod-us")
    proven.entered("staging")
    assert proven.answer(now=SATURDAY).codes == {"WINDOW_CLOSED"}

    proven.entered("prod-eu")
    assert proven.answer(now=SATURDAY).decision == "admitted"
    assert proven.answer(now=SATURDAY, cluster="prod-us").codes == {"WINDOW_CLOSED"}


def test_a_receipt_excuses_nothing_that_is_missing(site: Site) -> None:
    """It moves the clock of what guards the entry; evidence that is not there stays away."""
    site.entered("prod-eu")

    assert site.answer().codes == {"PASS_MISSING", "APPROVALS_MISSING", "REQUIREMENT_MISSING"}


def test_a_stage_key_can_date_a_receipt_back(proven: Site) -> None:
    """Not stopped: it revives, for its own place, what time alone has ended; a revocation ends it."""
    late = "2027-01-02T12:00:00Z"
    assert proven.answer(now=late).codes >= {"WINDOW_CLOSED", "EXPIRED"}

    proven.entered("prod-eu")
    assert proven.answer(now=late).decision == "admitted"

    staging = str(proven.keys / "staging.pub")
    proven.revoke("--public-key", staging, "--reason", "lost", now="2027-01-02T00:00:00Z")
    assert "REVOKED" in proven.answer(now=late).codes


def test_approvals_are_counted_by_owner(site: Site) -> None:
    """
    Neither a second key, nor whoever built it, nor a word for another stage makes a second voice; and
    no number of them makes a pass.
    """
    for key in ("alice", "alice-2", "ci", "stranger"):
        site.approved(key)
    site.approved("bob", stage="staging")

    assert "APPROVALS_MISSING" in site.answer().codes
    site.approved("bob")
    assert site.answer().codes == {"PASS_MISSING", "REQUIREMENT_MISSING"}


def test_an_approval_is_for_one_image_and_ends(proven: Site) -> None:
    """Of another digest it is not even read; two days later it is over."""
    assert "APPROVALS_MISSING" in proven.answer(image=OLD_IMAGE).codes
    assert proven.answer(now="2026-11-30T12:00:00Z").codes == {"EXPIRED"}


def test_break_glass_is_bounded(site: Site) -> None:
    """A span over maxDuration, another stage, image or signer breaks nothing."""
    site.built()
    site.broke_glass("dave", "--valid-for", "5h")
    site.broke_glass("dave", "--cluster", "prod-us")
    site.broke_glass("dave", stage="staging")
    site.broke_glass("dave", image=OLD_IMAGE)
    site.broke_glass("alice")

    assert site.answer(now=None).decision == "denied"
    site.broke_glass("dave")
    assert site.answer(now=None).codes == {"BREAK_GLASS"}


def test_break_glass_is_told_and_signs_no_pass(site: Site) -> None:
    """The user is warned, and neither `attest` nor `enter` carries it on."""
    site.built()
    site.broke_glass("dave")

    (warning,) = site.answer(now=None).warnings
    assert "dave" in warning
    assert "down" in warning
    asked = ("--stage", "production", "--cluster", "prod-eu", "--policy", str(site.policy))
    for verb in ("attest", "enter"):
        site.sign(verb, "prod-eu", *asked, expect=1)


def test_break_glass_excuses_no_baseline_no_revocation_and_no_tag(site: Site) -> None:
    """The floor, the list and the digest are not the stage's to excuse."""
    today = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    site.broke_glass("dave")

    assert site.answer(now=None).codes == {"REQUIREMENT_MISSING", "BREAK_GLASS"}
    assert site.answer(now=None, image=IMAGE.partition("@")[0]).codes == {"DIGEST_REQUIRED"}
    site.revoke("--artifact", IMAGE.partition("@")[2], "--reason", "bad", now=today)
    assert site.answer(now=None).codes == {"REVOKED"}


@pytest.mark.parametrize("what", ["image", "statement", "key"])
def test_what_is_revoked_counts_no_more(proven: Site, what: str) -> None:
    """Whoever signed it, whenever, and however much other evidence there is."""
    options = {
        "image": ("--artifact", IMAGE.partition("@")[2]),
        "statement": ("--attestation", proven.payload_of(world.PROVENANCE)),
        "key": ("--public-key", str(proven.keys / "ci.pub")),
    }
    proven.revoke(*options[what], "--reason", "bad")

    assert "REVOKED" in proven.answer().codes


def test_a_revocation_list_ends_closed_and_counts_only_by_its_signers(proven: Site) -> None:
    """An expired list denies; a list by another key refuses the whole set."""
    proven.revoke()
    assert proven.answer().decision == "admitted"
    assert proven.answer(now="2026-12-27T00:00:00Z").codes == {"REVOKED"}

    (proven.policy / "revocations.sigstore.json").unlink()
    proven.revoke(key="alice")
    with pytest.raises(PolicyError, match="may not revoke"):
        load_directory(proven.policy)


@pytest.mark.parametrize("change", ["none", "altered", "added", "removed", "another key"])
def test_only_the_root_key_puts_a_set_in_force(site: Site, change: str) -> None:
    """Who may write the files, and does not hold the key, changes nothing."""
    signature = site.policy / "policy-set.sigstore.json"
    _sign_set(site)
    assert load_directory(site.policy, ROOT_KEY).sequence == 1
    match change:
        case "none":
            signature.unlink()
        case "altered":
            (site.policy / "policy.yaml").write_text(POLICY.replace("threshold: 2", "threshold: 1"))
        case "added":
            (site.policy / "more.yaml").write_text("# nothing")
        case "removed":
            (site.policy / "keys" / "security.pub").unlink()
        case _:
            signature.unlink()
            _sign_set(site, key="alice")

    with pytest.raises(PolicyError):
        load_directory(site.policy, ROOT_KEY)


def test_a_signed_set_ends_closed(site: Site) -> None:
    """Its time over, nothing is known any more, whatever is enforced."""
    _sign_set(site)
    policy = load_directory(site.policy, ROOT_KEY)
    assert policy.expires is not None

    decision = evaluate(policy, world.IMAGE, world.PROD_EU, Evidence(), now=policy.expires)

    assert (str(decision.answer), decision.allowed) == ("undetermined", False)
    assert {violation.code for violation in decision.violations} == {Code.POLICY_INVALID}


def test_an_older_set_is_not_put_in_force_again(site: Site, tmp_path: Path) -> None:
    """The mark is kept, so that it also holds after a restart."""
    _sign_set(site)
    older = load_directory(site.policy, ROOT_KEY)
    _sign_set(site)
    HighWater(tmp_path).pass_on(load_directory(site.policy, ROOT_KEY))

    with pytest.raises(PolicyError, match="older"):
        HighWater(tmp_path).pass_on(older)


def test_an_exemption_beats_no_pipeline_and_no_unknown_cluster(site: Site, tmp_path: Path) -> None:
    """Where a pipeline covers the image as well, all is asked for; in a cluster with a slip, too."""
    other = IMAGE.replace("/shop/", "/other/")
    assert site.admit(_pod(tmp_path, image=other)).codes == {"EXEMPT"}
    assert site.admit(_pod(tmp_path, image=other), cluster="prod-ue").codes == {
        "UNLISTED",
        "REQUIREMENT_MISSING",
    }


def test_an_older_digest_that_is_still_valid_is_admitted(proven: Site) -> None:
    """Not stopped: the gate knows what is proven, not what is newest; a revocation or age ends it."""
    proven.good(image=OLD_IMAGE)
    assert proven.answer(image=OLD_IMAGE).decision == "admitted"

    proven.revoke("--artifact", OLD_IMAGE.partition("@")[2], "--reason", "CVE-2026-0001")
    assert proven.answer(image=OLD_IMAGE).codes == {"REVOKED"}
    assert proven.answer().decision == "admitted"


def test_an_admitted_image_may_be_started_in_any_way(proven: Site, tmp_path: Path) -> None:
    """Not stopped: the gate judges images, and nothing else of an object."""
    hostile = {"command": ["sh", "-c", "exfiltrate"], "securityContext": {"privileged": True}}

    assert proven.admit(_pod(tmp_path, image=IMAGE, **hostile)).decision == "admitted"


def _pod(folder: Path, **container: object) -> Path:
    file = folder / "pod.json"
    spec = {"containers": [{"name": "main", **container}]}
    metadata = {"name": "main", "namespace": "shop"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    file.write_text(json.dumps(pod))
    return file


def _sign_set(site: Site, key: str = "root") -> None:
    by = str(site.keys / f"{key}.key")
    site.run("policy", "sign", str(site.policy), "--key", by, "--now", NOON)
