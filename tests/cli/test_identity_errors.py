"""Signing as an identity, when something is not as it should be: nothing stored, and the reason told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.identities import WHERE, Keyless
from tests.simulators.sigstore import Lies
from tests.simulators.sigstore.loopback import Answer, Loopback, Request
from tests.world import IMAGE


@pytest.mark.parametrize("service", ["ca", "log", "tsa"])
@pytest.mark.parametrize("log", ["v1", "v2"])
def test_a_service_that_is_down_is_not_found_out(ci: Keyless, service: str, log: str) -> None:
    """Also the time stamp authority, which the library goes on without."""
    ci.server.down = {service}
    result = ci.attest(ci.identity(log, tsa=True))

    assert result.code == 2
    assert result.err.startswith("could not find out: ")
    assert "503" in result.err
    assert ci.server.url in result.err

    ci.server.down = set()
    assert ci.attest(ci.identity(log, tsa=True)).code == 0


@pytest.mark.parametrize("log", ["v1", "v2"])
def test_a_stamp_that_does_not_come_is_an_error(ci: Keyless, log: str) -> None:
    ci.server.lies = Lies(no_tsa=True)
    result = ci.attest(ci.identity(log, tsa=True))

    assert result.code == 2
    assert "/api/v1/timestamp" in result.err


def test_a_stamp_by_another_authority_is_read_back_and_refused(ci: Keyless) -> None:
    ci.server.lies = Lies(foreign_tsa=True)

    assert ci.attest(ci.identity("v2", tsa=True)).code == 64


def test_a_service_that_is_not_there_is_not_found_out(ci: Keyless) -> None:
    who = ci.identity()
    ci.server.stop()
    result = ci.attest(who)

    assert result.code == 2
    assert result.err == (
        f"could not find out: {ci.server.url}/api/v2/signingCert: "
        "Failed to establish a new connection: [Errno 111] Connection refused\n"
    )


class Authority(Loopback):
    """A certificate authority that has only this to say."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__()

    def route(self, request: Request) -> Answer:  # noqa: ARG002
        return self.answer


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Answer(429, b"slow down\x1b[2J"), 2, "429 slow down?[2J"),
        (Answer(503, b""), 2, "answers 503"),
        (
            Answer(403, b'{"message": "no such issuer"}'),
            64,
            "refuses the token: 403 no such issuer",
        ),
        (Answer(403, b'["message"]'), 64, '403 ["message"]'),
        (Answer(200, b"{}"), 2, "Fulcio response missing certificate chain"),
        (Answer(200, b"junk"), 2, "JSON"),
        (Answer(400, b"x" * 5000), 64, "..."),
    ],
    ids=["busy", "away", "no", "no text", "nothing", "junk", "long"],
)
def test_what_an_authority_answers_is_told(
    ci: Keyless, answer: Answer, code: int, said: str
) -> None:
    config = json.loads(ci.configured().read_bytes())
    path = ci.shop.root / "other.json"
    with Authority(answer) as authority:
        config["signingConfig"]["caUrls"][0]["url"] = authority.url
        path.write_text(json.dumps(config))
        result = ci.attest(["--identity-token", str(ci.token()), "--trust-config", str(path)])

    assert (result.code, said in result.err) == (code, True), result.err
    assert len(result.err) < 700


def test_tls_that_does_not_verify_is_not_found_out(ci: Keyless) -> None:
    config = json.loads(ci.configured().read_bytes())
    config["signingConfig"]["caUrls"][0]["url"] = ci.server.url.replace("http:", "https:")
    path = ci.shop.root / "tls.json"
    path.write_text(json.dumps(config))
    result = ci.attest(["--identity-token", str(ci.token()), "--trust-config", str(path)])

    assert result.code == 2
    assert "SSL" in result.err


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.pop("trustedRoot"),
        lambda config: config.pop("signingConfig"),
        lambda config: config.pop("mediaType"),
        lambda config: config["trustedRoot"].pop("ctlogs"),
        lambda config: config["trustedRoot"].pop("tlogs"),
        lambda config: config["signingConfig"].update(rekorTlogUrls=[]),
        lambda config: config["signingConfig"].update(caUrls=[]),
        lambda config: config["signingConfig"]["caUrls"][0].update(url="http://ca.example.com"),
    ],
    ids=["root", "signing", "type", "ct logs", "logs", "no log", "no CA", "plain http"],
)
def test_a_trust_config_that_cannot_be_used_is_named(ci: Keyless, change: object) -> None:
    path = ci.configured()
    config = json.loads(path.read_bytes())
    assert callable(change)
    change(config)
    path.write_text(json.dumps(config))
    result = ci.attest(["--identity-token", str(ci.token()), "--trust-config", str(path)])

    assert result.code == 64
    assert str(path) in result.err
    assert not ci.server.requests


@pytest.mark.parametrize("content", [None, "", "[]", "{", "\x00"])
def test_a_trust_config_that_is_none(ci: Keyless, content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    if content is not None:
        path.write_text(content)
    result = ci.attest(["--identity-token", str(ci.token()), "--trust-config", str(path)])

    assert (result.code, str(path) in result.err) == (64, True)


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = "import sys; from stagepass.cli.main import run; sys.exit(run(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )


def test_a_key_in_the_trusted_root_that_sigstore_does_not_know_is_told_to_nobody(
    ci: Keyless,
) -> None:
    """It warns of each at every verification: of the signer's, and of the gate's."""
    config = json.loads(ci.configured().read_bytes())
    other = json.loads(json.dumps(config["trustedRoot"]["ctlogs"][0]))
    other["publicKey"]["keyDetails"] = "PKIX_ECDSA_P256_HMAC_SHA_256"
    other["logId"]["keyId"] = "AAAA"
    config["trustedRoot"]["ctlogs"].append(other)
    ci.write_policy(root=json.dumps(config["trustedRoot"]).encode())
    evidence = ["--policy", str(ci.policy), "--evidence", f"dir:{ci.evidence}"]
    path = ci.shop.root / "other.json"
    path.write_text(json.dumps(config))
    who = ["--identity-token", str(ci.token()), "--trust-config", str(path)]
    signed = process("attest", str(IMAGE), "--stage", "test", *who, *evidence)
    judged = process("verify", str(IMAGE), "--stage", "staging", *evidence)

    assert (signed.returncode, signed.stderr) == (0, "")
    assert (judged.returncode, judged.stderr) == (1, "")
    assert "APPROVALS_MISSING" in judged.stdout


def test_a_process_prints_nothing_of_its_libraries(ci: Keyless) -> None:
    """A log of theirs, unhandled, would go to standard error."""
    ci.server.down = {"tsa"}
    who = [*ci.identity(tsa=True), "--evidence", f"dir:{ci.evidence}"]
    result = process("attest", str(IMAGE), *WHERE, *who)

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("could not find out: 1 time stamp(s) missing: Unable to use")
    assert result.stderr.count("\n") == 1
