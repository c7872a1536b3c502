"""Signing as an identity what is no bundle of an image: releases, revocation lists, prunes; and by TUF."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from stagepass.bundle import Bundle
from stagepass.cli.trust import update
from stagepass.clock import format_time
from stagepass.keyless import roots, sign
from stagepass.policy.store import load_directory
from tests.cli.conftest import Result
from tests.cli.identities import ISSUER, SUBJECT, Keyless, keyless_shop
from tests.release.samples import COMMIT, OBJECTS
from tests.simulators.tuf import TufRepository, serve
from tests.world import IMAGE


def build(ci: Keyless) -> None:
    file = ci.shop.root / "all.yaml"
    file.write_text(yaml.safe_dump_all(OBJECTS, allow_unicode=True))
    what = ["--pipeline", "shop", "--stage", "test", "--path", "test"]
    what += [
        "--source",
        f"{COMMIT.uri}@{COMMIT.commit}",
        "--output-dir",
        str(ci.shop.root / "built"),
    ]
    assert ci.shop.run("release", "build", str(file), *what).code == 0


def release(ci: Keyless, command: str, *arguments: str) -> Result:
    options = ["--policy", str(ci.policy), "--evidence", f"dir:{ci.evidence}", "--output", "json"]
    return ci.shop.run("release", command, str(ci.shop.root / "built"), *options, *arguments)


def test_a_release_is_signed_verified_and_not_signed_twice(ci: Keyless) -> None:
    build(ci)
    signed = release(ci, "attest", *ci.identity())
    assert (signed.code, signed.err) == (0, "")
    assert signed.line["identity"] == {"issuer": ISSUER, "subject": SUBJECT}
    assert signed.line["stored"]

    verified = release(ci, "verify")
    assert (verified.code, verified.line["signer"]) == (0, "ci")
    asked = len(ci.server.requests)
    again = release(ci, "attest", *ci.identity())
    assert (again.code, again.line["stored"]) == (0, [])
    paths = [request.path for request in ci.server.requests[asked:]]
    assert paths == ["/api/v2/signingCert"]


def test_a_release_by_an_identity_that_the_stage_does_not_name_is_not_signed(ci: Keyless) -> None:
    build(ci)
    wanted = f"{SUBJECT}-or-so"
    ci.write_policy(subject=wanted)
    refused = release(ci, "attest", *ci.identity())

    assert refused.code == 1
    for text in (SUBJECT, ISSUER, wanted):
        assert text in refused.out
    assert not ci.evidence.exists()
    assert not [r for r in ci.server.requests if r.path.endswith("/log/entries")]


def test_a_release_by_a_token_of_another_issuer_gets_no_certificate(ci: Keyless) -> None:
    build(ci)
    ci.write_policy(issuer="https://gitlab.com")
    refused = release(ci, "attest", *ci.identity())

    assert refused.code == 1
    for text in (ISSUER, f"wanted: https://gitlab.com {SUBJECT}"):
        assert text in refused.out
    assert not [r for r in ci.server.requests if r.path.endswith("/signingCert")]


def test_a_release_by_an_entry_that_ends_within_the_certificate_is_not_signed(ci: Keyless) -> None:
    build(ci)
    ends = datetime.now(UTC) + timedelta(minutes=5)
    ci.write_policy(validUntil=format_time(ends))
    refused = release(ci, "attest", *ci.identity())

    assert refused.code == 1
    assert "not valid all the time" in refused.out
    assert not ci.evidence.exists()
    assert not [r for r in ci.server.requests if r.path.endswith("/log/entries")]


def test_a_release_that_no_trust_root_backs_is_not_stored(ci: Keyless) -> None:
    build(ci)
    with keyless_shop(ci.shop) as other:
        ci.write_policy()
        refused = release(ci, "attest", *other.identity())

    assert refused.code == 1
    assert "trust root" in refused.out
    assert not ci.evidence.exists()


def revoking(ci: Keyless, *arguments: str, who: list[str] | None = None) -> Result:
    signer = ci.identity() if who is None else who
    return ci.shop.run("revoke", str(ci.policy / "list.sigstore.json"), *signer, *arguments)


def test_a_revocation_list_is_signed_renewed_and_in_force(ci: Keyless) -> None:
    file = ci.policy / "list.sigstore.json"
    assert revoking(ci).code == 0
    assert Bundle.parse(file.read_bytes()).certificate is not None
    (ci.policy / "revocations.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "stagepass.dev/v1",
                "kind": "Revocations",
                "file": file.name,
                "from": ["ci"],
            }
        )
    )
    assert load_directory(ci.policy).revocations is not None

    result = revoking(ci, "--artifact", str(IMAGE.digest), "--reason", "leaks")
    assert (result.code, result.err) == (0, "")
    loaded = load_directory(ci.policy).revocations
    assert loaded is not None
    assert (loaded.sequence, len(loaded.artifacts)) == (2, 1)


def test_a_revocation_list_by_a_key_goes_on_by_an_identity_that_names_it(ci: Keyless) -> None:
    by_key = ["--key", ci.shop.key("ci")]
    assert revoking(ci, who=by_key).code == 0
    before = (ci.policy / "list.sigstore.json").read_bytes()
    assert revoking(ci).code == 64
    assert (ci.policy / "list.sigstore.json").read_bytes() == before
    assert revoking(ci, "--signer", str(ci.policy / "keys" / "ci.pub")).code == 0


def test_as_identity_is_not_the_identity_that_is_revoked(
    ci: Keyless, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ci.provider.environment(ci.shop.root).items():
        monkeypatch.setenv(name, value)
    who = ["--as-identity", "--trust-config", str(ci.configured())]
    result = revoking(ci, "--identity", "https://example.com/evil", "--reason", "left", who=who)

    assert (result.code, result.err) == (0, "")
    assert revoking(ci, "--identity", SUBJECT, "--reason", "x", who=[]).code == 64


def test_an_instance_is_configured_by_its_tuf_repository(ci: Keyless, tmp_path: Path) -> None:
    """As the public one is, of which only the URL and the first root are fixed."""
    whole = json.loads(ci.configured("v2", tsa=True).read_bytes())
    parts = {
        roots.TRUSTED_ROOT: json.dumps(whole["trustedRoot"]).encode(),
        roots.SIGNING_CONFIG: json.dumps(whole["signingConfig"]).encode(),
    }
    with serve(TufRepository()) as repository:
        repository.publish(parts)
        found = sign.trust_config(repository.url, tmp_path / "state", repository.root)
    config = tmp_path / "found.json"
    config.write_bytes(found)
    who = ["--identity-token", str(ci.token()), "--trust-config", str(config)]

    assert json.loads(found) == whole
    assert ci.sign("attest", "--stage", "test", "--policy", str(ci.policy), who=who).code == 0


def test_the_public_instance_that_cannot_be_reached_is_not_found_out(
    ci: Keyless, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a proxy that is not there: no request leaves this machine."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(ci.shop.root / "home"))
    who = ["--identity-token", str(ci.token())]
    result = ci.sign("attest", "--stage", "test", "--policy", str(ci.policy), who=who)

    assert result.code == 2
    assert roots.PUBLIC_GOOD in result.err
    assert not ci.shop.bundles()


def test_both_modules_mean_the_same_public_instance() -> None:
    (url,) = (option for option in update.params if option.name == "url")
    assert url.default == roots.PUBLIC_GOOD
