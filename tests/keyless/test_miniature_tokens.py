"""The token of each CI system, as its job gets it, becomes the certificate that Fulcio would write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from tests.keyless.test_miniature import sign
from tests.simulators.sigstore import ci
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server


def ambient(variables: dict[str, str], tmp_path: Path) -> str:
    """The token that sigstore-python finds in a process with nothing but these variables."""
    code = "from sigstore.oidc import detect_credential; print(detect_credential())"
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), **variables}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ACTIONS, COMMIT = "https://github.com/acme/shop", "4f1c2a9be0d35c7716e0f2a8b6d9c3e5a7410f28"
PROJECT, DEFINITION = "11111111-0e94-4c2c-9b2a-1a1c1c3c6b7e", "22222222-c7c4-4c43-9457-de07e2029e7b"
CLAIMS = {"circleci": ci.circleci(PROJECT, DEFINITION)}
EXPECTED = {
    "github": (
        f"{ACTIONS}/.github/workflows/release.yml@refs/heads/main",
        {2: "push", 8: ci.ISSUERS["github"], 11: "github-hosted", 12: ACTIONS, 13: COMMIT}
        | {14: "refs/heads/main", 15: "74", 16: "https://github.com/acme", 17: "65", 20: "push"}
        | {18: f"{ACTIONS}/.github/workflows/release.yml@refs/heads/main"}
        | {21: f"{ACTIONS}/actions/runs/7412/attempts/2", 22: "private", 23: None},
    ),
    "gitlab": (
        "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main",
        {8: "https://gitlab.com", 11: "gitlab-hosted", 12: "https://gitlab.com/acme/shop"}
        | {14: "refs/heads/main", 15: "20", 16: "https://gitlab.com/acme", 17: "72", 20: "push"}
        | {2: None, 21: "https://gitlab.com/acme/shop/-/jobs/302", 23: None},
    ),
    "circleci": (
        f"https://circleci.com/api/v2/projects/{PROJECT}/pipeline-definitions/{DEFINITION}",
        {8: "https://oidc.circleci.com", 12: "github.com/acme/shop", 14: "refs/heads/main"}
        | {11: '""', 13: None, 15: None},
    ),
    "buildkite": (
        "https://buildkite.com/acme/shop",
        {8: "https://agent.buildkite.com", 11: "self-hosted", 13: COMMIT, 20: "webhook"}
        | {12: None, 14: None},
    ),
}


def extension(leaf: x509.Certificate, number: int) -> str | None:
    """A Fulcio extension's text; None where the certificate has none."""
    oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
    try:
        raw = leaf.extensions.get_extension_for_oid(oid).value.public_bytes()
    except x509.ExtensionNotFound:
        return None
    if number < 8:
        return raw.decode()
    assert raw[0] == 0x0C
    return raw[3 if raw[1] == 0x81 else 2 :].decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("kind", EXPECTED)
def test_the_token_that_a_ci_system_hands_out_becomes_the_certificate_fulcio_would_write(
    kind: str, algorithm: str, tmp_path: Path
) -> None:
    claims = CLAIMS.get(kind)
    with Provider(kind, claims, algorithm=algorithm) as provider, Server(provider) as server:
        bundle = sign(server, ambient(provider.environment(tmp_path), tmp_path))

    subject, extensions = EXPECTED[kind]
    leaf = bundle.signing_certificate
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [subject]
    assert {number: extension(leaf, number) for number in extensions} == extensions


def test_an_environment_is_in_the_certificate_of_a_job_that_has_one() -> None:
    claims = ci.github(environment="production")
    with Provider("github", claims) as github, Server(github) as server:
        leaf = sign(server, github.token()).signing_certificate
    assert extension(leaf, 23) == "production"
