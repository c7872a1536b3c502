"""Signing as an identity: every command that signs, and the gate that counts it, over real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stagepass.bundle import Bundle
from tests.cli.conftest import Shop
from tests.cli.identities import ISSUER, SUBJECT, WHERE, Keyless, keyless_shop
from tests.simulators.registry import Registry
from tests.simulators.sigstore import Lies
from tests.world import IMAGE

WORKFLOW = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads"


def by_policy(ci: Keyless, *arguments: str) -> list[str]:
    return [*arguments, "--policy", str(ci.policy)]


@pytest.mark.parametrize(("log", "tsa"), [("v1", False), ("v1", True), ("v2", True)])
def test_a_pass_signed_as_an_identity_opens_the_next_stage(
    ci: Keyless, log: str, tsa: bool
) -> None:
    who = ci.identity(log, tsa=tsa)
    signed = ci.sign("attest", *by_policy(ci, "--stage", "test"), who=who)

    assert (signed.code, signed.err) == (0, "")
    assert signed.line["identity"] == {"issuer": ISSUER, "subject": SUBJECT}
    assert signed.line["logIndex"] == int(ci.bundle().log_entries[0]["logIndex"])
    assert len(ci.bundle().timestamps) == tsa
    assert ci.bundle().certificate is not None

    (violation,) = ci.verify("staging").line["violations"]
    assert violation["code"] == "APPROVALS_MISSING"
    assert ci.sign("approve", *by_policy(ci, "--stage", "staging"), who=who).code == 0
    answer = ci.verify("staging")
    assert answer.code == 0
    assert {each["signer"] for each in answer.line["evidence"]} == {"ci"}


def test_it_lies_in_the_registry_beside_the_image(
    ci: Keyless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STAGEPASS_REGISTRIES", raising=False)
    with Registry() as registry:
        ci.write_policy(host=registry.host)
        image = f"{registry.host}/shop/web@{registry.push_image('shop/web', b'layer')}"
        options = ["--policy", str(ci.policy), "--output", "json"]
        for command, stage in (("attest", "test"), ("approve", "staging")):
            arguments = [image, "--stage", stage, *ci.identity(), *options, "--inline"]
            signed = ci.shop.run(command, *arguments)
            assert (signed.code, signed.err) == (0, "")
            assert signed.line["stored"][0].startswith(f"{registry.host}/shop/web@")
        answer = ci.shop.run("verify", image, "--stage", "staging", *options)

    assert (answer.code, len(answer.line["evidence"])) == (0, 2)


def test_who_it_was_is_said_to_people_too(ci: Keyless) -> None:
    options = [
        *ci.identity(),
        "--stage",
        "test",
        *by_policy(ci),
        "--evidence",
        f"dir:{ci.evidence}",
    ]
    result = ci.shop.run("attest", str(IMAGE), *options)

    assert result.code == 0
    assert f"  as {SUBJECT} ({ISSUER}), log index " in result.out


def test_what_is_signed_is_the_very_text(ci: Keyless) -> None:
    """A predicate of somebody else's is signed as it stands: nothing is written anew on the way."""
    file = ci.shop.root / "predicate.json"
    file.write_bytes(b'{"b": 1.50,  "a":"\\u00e9"}')
    result = ci.sign("attest", "--type", "https://example.com/x", "--predicate", str(file))

    assert result.code == 0
    assert file.read_bytes() in ci.bundle().envelope.payload


def test_a_receipt_lets_stay_and_is_renewed(ci: Keyless) -> None:
    assert ci.sign("enter", *by_policy(ci, "--stage", "test")).code == 0
    renewed = ci.sign("enter", *by_policy(ci, "--stage", "test", "--renew"))

    assert renewed.code == 0
    assert renewed.line["identity"]["subject"] == SUBJECT
    assert len(ci.shop.bundles()) == 2


def test_break_glass_lets_in(ci: Keyless) -> None:
    assert ci.verify("staging").code == 1
    signed = ci.sign("break-glass", *by_policy(ci, "--stage", "staging", "--reason", "fire"))

    assert (signed.code, signed.line["identity"]["issuer"]) == (0, ISSUER)
    answer = ci.verify("staging")
    assert (answer.code, answer.line["notes"]) == (0, ["BREAK_GLASS"])


def test_a_prune_is_approved(ci: Keyless) -> None:
    out = ci.shop.root / "approval.jsonl"
    options = ["--prune", f"sha256:{'ab' * 32}", "--out", str(out), "--output", "json"]
    options += ["--pipeline", "shop"]
    result = ci.shop.run("approve", *by_policy(ci, "--stage", "staging"), *ci.identity(), *options)

    assert (result.code, result.err) == (0, "")
    assert result.line["identity"] == {"issuer": ISSUER, "subject": SUBJECT}
    assert Bundle.parse(out.read_bytes().strip()).certificate is not None


def test_a_token_is_read_from_standard_input(ci: Keyless) -> None:
    options = ["--stage", "test", *by_policy(ci), "--trust-config", str(ci.configured())]
    script = "import sys; from stagepass.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        script,
        "attest",
        str(IMAGE),
        "--identity-token",
        "-",
        *options,
    ]
    command += ["--evidence", f"dir:{ci.evidence}"]
    result = subprocess.run(command, input=f"{ci.provider.token()}\n".encode(), capture_output=True)

    assert (result.returncode, result.stderr) == (0, b"")
    assert ci.bundle().certificate is not None


@pytest.mark.parametrize("kind", ["github", "gitlab", "circleci", "buildkite"])
def test_the_token_of_the_ci_job_is_found(
    shop: Shop, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keyless_shop(shop, kind) as ci:
        for name, value in ci.provider.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        who = ["--identity", "--trust-config", str(ci.configured())]
        where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
        signed = ci.sign("attest", *where, who=who)

        assert (signed.code, signed.err) == (0, "")
        assert signed.line["identity"]["issuer"] == ci.provider.issuer


@pytest.mark.parametrize(
    "where",
    [
        ["--evidence", "nowhere"],
        ["--inline"],
        ["--layout", "legacy", "--evidence", "registry"],
    ],
)
@pytest.mark.parametrize("command", ["attest", "enter", "approve", "break-glass"])
def test_what_could_not_be_stored_so_is_not_signed(
    ci: Keyless, command: str, where: list[str]
) -> None:
    """A key's signature is nowhere then; an identity's would be in a log for good."""
    about = [*WHERE, *(["--reason", "fire"] if command == "break-glass" else [])]
    about = [*about, "--namespace", "shop"]
    result = ci.sign(command, *about, *where)

    assert result.code == 64
    assert not ci.server.requests


def test_a_key_and_an_identity_exclude_each_other_and_one_is_needed(ci: Keyless) -> None:
    for who, said in (
        ([], "--identity"),
        ([*ci.identity(), "--key", ci.shop.key("ci")], "exclude"),
        ([*ci.identity(), "--passphrase-env", "X"], "--passphrase-env"),
        (["--key", ci.shop.key("ci"), "--trust-config", "x"], "--trust-config"),
        ([*ci.identity(), "--offline"], "--offline"),
    ):
        result = ci.sign("attest", *WHERE, who=who)
        assert (result.code, said in result.err) == (64, True), (who, result.err)
    assert not ci.server.requests


@pytest.mark.parametrize("command", [["attest"], ["enter"], ["approve"], ["break-glass"]])
def test_signing_with_a_key_knows_nothing_of_sigstore(ci: Keyless, command: list[str]) -> None:
    """It takes 430 CPU-ms to import, and is not installed with every CLI."""
    script = (
        "import sys; from stagepass.cli.main import run; code = run(sys.argv[1:]);"
        "sys.exit(code or sorted(n for n in sys.modules if n.split('.')[0] in "
        "('sigstore', 'tuf', 'rfc3161_client', 'requests', 'pydantic')) or 0)"
    )
    where = ["--stage", "test", "--pipeline", "shop", "--key", ci.shop.key("ci")]
    where += {
        "attest": ["--cluster", "test"],
        "enter": ["--cluster", "test", "--namespace", "shop"],
        "approve": [],
        "break-glass": ["--reason", "fire"],
    }[command[0]]
    arguments = [*command, str(IMAGE), *where, "--evidence", f"dir:{ci.evidence}"]
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True)

    assert (result.returncode, result.stderr) == (0, b"")
    assert len(ci.shop.bundles()) == 1


def test_without_sigstore_the_error_says_what_to_install(ci: Keyless) -> None:
    script = (
        "import sys; sys.modules['sigstore'] = None;"
        "from stagepass.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    arguments = ["attest", str(IMAGE), "--stage", "test", "--pipeline", "shop", "--cluster", "test"]
    arguments += ci.identity()
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )

    assert result.returncode == 64
    assert "pip install 'stagepass[keyless]'" in result.stderr


def test_the_signed_subject_may_not_be_the_tokens(ci: Keyless) -> None:
    """Fulcio names the workflow, the token's `sub` the repository and ref: the certificate counts."""
    assert ci.provider.claims["sub"] not in SUBJECT
    assert ci.sign("attest", *by_policy(ci, "--stage", "test")).code == 0


@pytest.mark.parametrize(
    "lies",
    [
        Lies(foreign_authority=True),
        Lies(foreign_sct=True),
        Lies(no_sct=True),
        Lies(foreign_log=True),
        Lies(stolen_log_id=True),
        Lies(wrong_proof=True),
        Lies(unsigned_checkpoint=True),
        Lies(forged_promise=True),
        Lies(foreign_entry=True),
        Lies(two_subjects=True),
        Lies(no_subject=True),
        Lies(other_issuer="https://gitlab.com"),
    ],
    ids=lambda lies: json.dumps([n for n in lies.__slots__ if getattr(lies, n)]),
)
@pytest.mark.parametrize("with_policy", [True, False])
def test_a_service_that_lies_leaves_nothing_stored(
    ci: Keyless, lies: Lies, with_policy: bool
) -> None:
    """The finished bundle is read back by the verifier that will judge it (W9)."""
    ci.server.lies = lies
    where = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
    result = ci.sign("attest", *(by_policy(ci, "--stage", "test") if with_policy else where))

    assert result.code == 64
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert not ci.shop.bundles()
