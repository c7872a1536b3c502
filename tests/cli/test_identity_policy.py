"""Signing as an identity with --policy: whom the set does not count signs nothing that is stored."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.cli.identities import ISSUER, SUBJECT, Keyless, keyless_shop
from tests.simulators.sigstore import Sigstore

WORKFLOW = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads"


def by_policy(ci: Keyless, *arguments: str) -> list[str]:
    return [*arguments, "--policy", str(ci.policy)]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("attest", ["--stage", "test"]),
        ("enter", ["--stage", "test"]),
        ("approve", ["--stage", "staging"]),
        ("break-glass", ["--stage", "staging", "--reason", "r", "--valid-for", "1h"]),
    ],
)
def test_a_token_of_an_issuer_that_the_set_does_not_name_gets_no_certificate(
    ci: Keyless, command: str, more: list[str]
) -> None:
    """A certificate is in a public log for good, with its subject."""
    ci.write_policy(issuer="https://gitlab.com")
    result = ci.sign(command, *by_policy(ci, *more))

    assert (result.code, result.err) == (1, "")
    (violation,) = result.line["violations"]
    for text in (ISSUER, f"wanted: https://gitlab.com {SUBJECT}"):
        assert text in violation["message"]
    assert not [r for r in ci.server.requests if r.path.endswith("/signingCert")]


def test_one_of_a_set_without_identities_gets_none(ci: Keyless) -> None:
    ci.write_policy()
    only = {"next": {"keys": [{"file": "keys/ci.pub", "owner": "next"}]}}
    texts = (ci.policy / "policy.yaml").read_text().split("\n---\n")
    attestors = {**json.loads(texts[0]), "attestors": only}
    del attestors["trustRoots"]
    named = [json.dumps(attestors), *(text.replace('"ci"', '"next"') for text in texts[1:])]
    (ci.policy / "policy.yaml").write_text("\n---\n".join(named))
    result = ci.sign("attest", *by_policy(ci, "--stage", "test"))

    assert (result.code, result.err) == (1, "")
    assert not [r for r in ci.server.requests if r.path.endswith("/signingCert")]


def test_an_issuer_that_a_claim_names_may_be_the_certificates(ci: Keyless) -> None:
    """Fulcio writes that of `federated_claims.connector_id`, say: so it is asked."""
    ci.write_policy(issuer="https://login.example.com")
    ci.provider.claims["federated_claims"] = {"connector_id": "https://login.example.com"}
    assert ci.sign("attest", *by_policy(ci, "--stage", "test")).code == 1
    assert [r for r in ci.server.requests if r.path.endswith("/signingCert")]


def test_claims_are_demanded_of_the_certificate(ci: Keyless) -> None:
    claims = {"repository": "https://github.com/acme/shop", "ref": "refs/heads/*"}
    ci.write_policy(subject=f"{WORKFLOW}/*", claims=claims)
    assert ci.sign("attest", *by_policy(ci, "--stage", "test")).code == 0

    ci.write_policy(subject=f"{WORKFLOW}/*", claims={**claims, "environment": "production"})
    refused = ci.sign("attest", *by_policy(ci, "--stage", "test"))
    assert refused.code == 1
    assert len(ci.shop.bundles()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": f"{WORKFLOW}/release/*"},
        {"subject": SUBJECT.replace("acme", "Acme")},
        {"subject": f"{WORKFLOW.replace('/acme/shop/', '/acme/shop-fork/')}/main"},
    ],
    ids=["ref", "case", "repository"],
)
@pytest.mark.parametrize(
    ("command", "stage"), [("attest", "test"), ("enter", "test"), ("approve", "staging")]
)
def test_an_identity_that_the_stage_does_not_name_is_refused_before_it_signs(
    ci: Keyless, wrong: dict[str, str], command: str, stage: str
) -> None:
    """And the denial names who it is and who is wanted (B68)."""
    ci.write_policy(**wrong)
    result = ci.sign(command, *by_policy(ci, "--stage", stage))

    assert (result.code, result.err) == (1, "")
    (violation,) = result.line["violations"]
    assert violation["code"] == "SIGNER_UNKNOWN"
    wanted = {"issuer": ISSUER, "subject": SUBJECT, **wrong}
    for text in (SUBJECT, ISSUER, f"wanted: {wanted['issuer']} {wanted['subject']}"):
        assert text in violation["message"]
    assert not ci.shop.bundles()
    assert not [r for r in ci.server.requests if r.path.endswith("/log/entries")]


@pytest.mark.parametrize(
    ("command", "stage"), [("attest", "test"), ("enter", "test"), ("approve", "staging")]
)
def test_a_certificate_that_no_root_of_the_set_backs_is_refused_before_it_is_stored(
    ci: Keyless, command: str, stage: str
) -> None:
    """An instance of the same names, that the policy does not trust."""
    with keyless_shop(ci.shop) as other:
        ci.write_policy(root=ci.server.sigstore.trusted_root())
        result = other.sign(command, *by_policy(ci, "--stage", stage))

    assert (result.code, result.err) == (1, "")
    (violation,) = result.line["violations"]
    assert "trust root" in violation["message"]
    assert not ci.shop.bundles()


def test_a_prune_that_no_root_of_the_set_backs_is_not_approved(ci: Keyless) -> None:
    out = ci.shop.root / "approval.jsonl"
    options = ["--pipeline", "shop", "--prune", f"sha256:{'ab' * 32}", "--out", str(out)]
    with keyless_shop(ci.shop) as other:
        ci.write_policy()
        who = other.identity()
        result = ci.shop.run("approve", *by_policy(ci, "--stage", "staging"), *who, *options)

    assert (result.code, out.exists()) == (64, False)
    assert "trust root" in result.err


def test_of_several_roots_the_one_that_the_identity_names_must_back_it(ci: Keyless) -> None:
    """Before it signs nobody knows which root will; the finished bundle says so."""
    ci.write_policy(trustRoots=["miniature"])
    assert ci.sign("attest", *by_policy(ci, "--stage", "test")).code == 0
    stored = ci.shop.bundles()

    other = Sigstore("other").trusted_root()
    (ci.policy / "trust" / "other.json").write_bytes(other)
    root = {
        "name": "other",
        "file": "trust/other.json",
        "sha256": hashlib.sha256(other).hexdigest(),
    }
    here = {"issuer": ISSUER, "subject": SUBJECT, "owner": "ci", "trustRoots": ["miniature"]}
    ci.write_policy(trustRoots=["other"])
    (ci.policy / "trust" / "other.json").write_bytes(other)
    more = {"attestors": {"elsewhere": {"identities": [here]}}, "trustRoots": [root]}
    document = {"apiVersion": "stagepass.dev/v1", "kind": "Attestors", **more}
    (ci.policy / "more.yaml").write_text(json.dumps(document))
    refused = ci.sign("attest", *by_policy(ci, "--stage", "test"))

    assert refused.code == 1
    (violation,) = refused.line["violations"]
    assert (violation["code"], SUBJECT in violation["message"]) == ("SIGNER_UNKNOWN", True)
    assert ci.shop.bundles() == stored
    assert [r for r in ci.server.requests if r.path.endswith("/log/entries")][1:]


def test_a_revoked_identity_signs_nothing(ci: Keyless) -> None:
    listed = str(ci.policy / "list.sigstore.json")
    about = ["--identity", SUBJECT, "--reason", "left"]
    assert ci.shop.run("revoke", listed, "--key", ci.shop.key("ci"), *about).code == 0
    revocations = {"kind": "Revocations", "file": "list.sigstore.json", "from": ["next"]}
    document = {"apiVersion": "stagepass.dev/v1", **revocations}
    (ci.policy / "revocations.yaml").write_text(json.dumps(document))
    result = ci.sign("attest", *by_policy(ci, "--stage", "test"))

    assert (result.code, ci.shop.bundles()) == (1, [])
    assert not [r for r in ci.server.requests if r.path.endswith("/log/entries")]


def test_what_the_stage_does_not_admit_is_not_signed(ci: Keyless) -> None:
    result = ci.sign("attest", *by_policy(ci, "--stage", "staging"))

    assert result.code == 1
    assert not ci.shop.bundles()
    assert not [r for r in ci.server.requests if r.path.endswith("/log/entries")]
