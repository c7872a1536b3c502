"""An OIDC provider on 127.0.0.1: discovery, keys, and the ways that CI systems hand out tokens."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.simulators.sigstore.ci import CLAIMS, ISSUERS
from tests.simulators.sigstore.loopback import Answer, Loopback, Request, answer_json

__all__ = ["AUDIENCE", "Provider"]

AUDIENCE = "sigstore"
_TOKEN_PATH = "/token"

_AGENT = """\
#!{python}
import os, sys, urllib.parse, urllib.request
words = sys.argv[1:]
{read}
query = urllib.parse.urlencode({{"audience": audience}})
request = urllib.request.Request("{url}?" + query, headers={{"Authorization": "Bearer {secret}"}})
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""
_READ = {
    # buildkite-agent oidc request-token --audience AUDIENCE
    "buildkite": """\
if words[:2] != ["oidc", "request-token"]: sys.exit("unknown command")
audience = words[words.index("--audience") + 1]""",
    # circleci run oidc get --claims '{"aud": AUDIENCE}' --root-issuer
    "circleci": """\
import json
if words[:3] != ["run", "oidc", "get"]: sys.exit("unknown command")
audience = json.loads(words[words.index("--claims") + 1])["aud"]""",
}
_PROGRAMS = {"buildkite": "buildkite-agent", "circleci": "circleci"}


class Provider(Loopback):
    """
    The issuer of one CI system (`kind`: a key of `ci.CLAIMS`), for one job of `claims`.

    Tokens name `issuer`: by default the CI system's real one, as if its name resolved to 127.0.0.1;
    pass `issuer=""` for the loopback URL itself. `algorithm` is RS256 or ES256.
    """

    def __init__(
        self,
        kind: str = "github",
        claims: dict[str, Any] | None = None,
        *,
        issuer: str | None = None,
        algorithm: str = "RS256",
    ) -> None:
        self.kind, self.algorithm = kind, algorithm
        self.claims = CLAIMS[kind]() if claims is None else claims
        self._key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "ES256":
            self._key = ec.generate_private_key(ec.SECP256R1())
        else:
            self._key = rsa.generate_private_key(65537, 2048)
        self.key_id, self._secret = secrets.token_hex(8), secrets.token_urlsafe(24)
        super().__init__()
        self.issuer = ISSUERS[kind] if issuer is None else issuer or self.url

    def token(
        self,
        audience: str = AUDIENCE,
        *,
        at: datetime | None = None,
        life: timedelta = timedelta(minutes=5),
        **claims: Any,
    ) -> str:
        """A token of the job, with `claims` changed (None takes one out)."""
        at = at or datetime.now(UTC)
        standard = {"iss": self.issuer, "aud": audience, "iat": at, "nbf": at, "exp": at + life}
        all_of_them = {**self.claims, **standard, **claims}
        payload = {name: value for name, value in all_of_them.items() if value is not None}
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return jwt.encode(payload, pem, self.algorithm, headers={"kid": self.key_id})

    def environment(self, directory: Path) -> dict[str, str]:
        """
        The variables of a job in this CI system; programs it has go to `directory`, first in PATH.

        GitLab's token is made here and lives five minutes; the others are asked for when needed.
        """
        address = f"{self.url}{_TOKEN_PATH}"
        match self.kind:
            case "github":
                return {
                    "GITHUB_ACTIONS": "true",
                    "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}?api-version=2.0",
                    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self._secret,
                }
            case "gitlab":
                return {"GITLAB_CI": "true", "SIGSTORE_ID_TOKEN": self.token()}
            case "circleci" | "buildkite":
                program = directory / _PROGRAMS[self.kind]
                program.write_text(
                    _AGENT.format(
                        python=sys.executable,
                        read=_READ[self.kind],
                        url=address,
                        secret=self._secret,
                    )
                )
                program.chmod(0o755)
                path = f"{directory}{os.pathsep}{os.defpath}"
                return {self.kind.upper(): "true", "PATH": path}
        raise ValueError(f"{self.kind} is no CI system")

    def route(self, request: Request) -> Answer:
        """Discovery (OpenID Connect Discovery 4), keys, and the job's token endpoint."""
        match request.path:
            case "/.well-known/openid-configuration":
                return answer_json(200, self._configuration())
            case "/keys":
                return answer_json(200, {"keys": [self._public()]})
            case path if path == _TOKEN_PATH:
                return self._hand_out(request)
        return answer_json(404, {"error": "not found"})

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}{_TOKEN_PATH}",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
        }

    def _public(self) -> dict[str, Any]:
        public = self._key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
        else:
            jwk = ECAlgorithm.to_jwk(public, as_dict=True)
        return {**jwk, "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    def _hand_out(self, request: Request) -> Answer:
        """GitHub answers in JSON; the agents of the others print what they get."""
        if not secrets.compare_digest(request.bearer(), self._secret):
            return answer_json(401, {"message": "Unauthorized"})
        token = self.token(request.query.get("audience", "https://github.com/acme"))
        if self.kind == "github":
            return answer_json(200, {"count": len(token), "value": token})
        return Answer(200, token.encode(), "text/plain")
