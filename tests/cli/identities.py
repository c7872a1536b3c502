"""A shop whose stages are signed by identities, and the miniature sigstore that certifies them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagepass.bundle import Bundle
from tests.cli.shop import Result, Shop
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server
from tests.world import IMAGE, signer

__all__ = ["CI_VARIABLES", "ISSUER", "SUBJECT", "WHERE", "Keyless", "keyless_shop"]

ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
WHERE = ["--stage", "test", "--pipeline", "shop", "--cluster", "test"]
CI_VARIABLES = (
    *("GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    *("GITLAB_CI", "SIGSTORE_ID_TOKEN", "CIRCLECI", "BUILDKITE", "GOOGLE_SERVICE_ACCOUNT_NAME"),
)


@dataclass(frozen=True, slots=True)
class Keyless:
    """The shop, its CI, and the services that sign with it."""

    shop: Shop
    provider: Provider
    server: Server

    def configured(self, log: str = "v1", *, tsa: bool = False) -> Path:
        """The file for --trust-config."""
        path = self.shop.root / "trust-config.json"
        path.write_bytes(self.server.sigstore.trust_config(log, tsa=tsa))
        return path

    def token(self, text: str | None = None) -> Path:
        """The file for --identity-token, by default with a token of the CI."""
        path = self.shop.root / "token"
        path.write_text(self.provider.token() if text is None else text)
        return path

    def identity(self, log: str = "v1", *, tsa: bool = False) -> list[str]:
        """The options that sign as the CI."""
        config = self.configured(log, tsa=tsa)
        return ["--identity-token", str(self.token()), "--trust-config", str(config)]

    def sign(self, command: str, *arguments: str, who: list[str] | None = None) -> Result:
        """One signing command about the image, into the evidence directory, as JSON."""
        options = [*(self.identity() if who is None else who), "--evidence", f"dir:{self.evidence}"]
        return self.shop.run(command, str(IMAGE), *arguments, *options, "--output", "json")

    def attest(self, who: list[str] | None = None) -> Result:
        """Sign a pass of `test`; whatever came of it, only a success stored something."""
        result = self.sign("attest", *WHERE, who=who)
        assert bool(self.shop.bundles()) is (result.code == 0)
        assert result.err.count("\n") == (result.code != 0), (
            "one line, and nothing of the libraries"
        )
        return result

    def verify(self, stage: str) -> Result:
        """The gate's answer now."""
        options = ["--policy", str(self.policy), "--evidence", f"dir:{self.evidence}", "--offline"]
        return self.shop.run("verify", str(IMAGE), "--stage", stage, *options, "--output", "json")

    @property
    def policy(self) -> Path:
        return self.shop.policy

    @property
    def evidence(self) -> Path:
        return self.shop.evidence

    def bundle(self) -> Bundle:
        """The only one stored."""
        (path,) = self.shop.bundles()
        return Bundle.parse(path.read_bytes())

    def write_policy(
        self,
        *,
        subject: str = SUBJECT,
        issuer: str = ISSUER,
        root: bytes | None = None,
        host: str = "registry.example.com",
        **more: Any,
    ) -> None:
        """Stages test and staging, which the identity signs, approves, and breaks the glass of."""
        trusted = self.server.sigstore.trusted_root() if root is None else root
        identity = {"issuer": issuer, "subject": subject, "owner": "ci", **more}
        digest = hashlib.sha256(trusted).hexdigest()
        attestors = {
            "ci": {"identities": [identity]},
            "next": {"keys": [{"file": "keys/ci.pub", "owner": "next"}]},
        }
        roots = [{"name": "miniature", "file": "trust/miniature.json", "sha256": digest}]
        stage = {"namespaces": ["shop"], "enforcement": "enforce"}
        release = {"from": ["ci"], "repository": f"{host}/shop/releases"}
        people = {"from": ["ci"], "threshold": 1}
        stages = [
            {**stage, "name": "test", "clusters": ["test"], "signedBy": ["ci"], "release": release},
            {
                **stage,
                "name": "staging",
                "clusters": ["staging"],
                "signedBy": ["next"],
                "after": ["test"],
                "requires": [{"approval": people}],
                "breakGlass": {**people, "maxDuration": "4h"},
            },
        ]
        images = [f"{host}/shop/**"]
        pipeline = {"metadata": {"name": "shop"}, "images": images, "stages": stages}
        documents = [
            {"kind": "Attestors", "trustRoots": roots, "attestors": attestors},
            {"kind": "Pipeline", **pipeline},
            {"kind": "Defaults"},
        ]
        texts = [json.dumps({"apiVersion": "stagepass.dev/v1", **each}) for each in documents]
        files = {
            "policy.yaml": "\n---\n".join(texts).encode(),
            "trust/miniature.json": trusted,
            "keys/ci.pub": signer("ci").public_pem,
        }
        for path in sorted(self.policy.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        for name, data in files.items():
            path = self.policy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@contextmanager
def keyless_shop(shop: Shop, kind: str = "github") -> Iterator[Keyless]:
    """Everything served, and the policy written that trusts it."""
    with Provider(kind) as provider, Server(provider) as server:
        made = Keyless(shop, provider, server)
        made.write_policy()
        yield made
