"""The real cosign signs with a key and has the time proven; a policy with an ended key believes it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from stagepass.cli.main import run
from tests.cluster.signer import Cosign
from tests.simulators.registry import Registry
from tests.simulators.sigstore import Sigstore
from tests.simulators.sigstore.server import Server

pytestmark = pytest.mark.cluster

PROVENANCE = "https://slsa.dev/provenance/v1"
PROOFS = {"v1": ("v1", False), "v1+tsa": ("v1", True), "v2+tsa": ("v2", True)}
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
trustRoots: [{name: miniature, file: root.json, sha256: "DIGEST"}]
attestors:
  ci: {keys: [{file: ci.pub, owner: ci, validUntil: "END"}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: [HOST/shop/**]
stages:
  - name: production
    clusters: [prod]
    namespaces: [shop]
    requires: [attestation: {name: provenance, from: [ci], predicateType: TYPE}]
---
apiVersion: stagepass.dev/v1
kind: Defaults
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@dataclass(frozen=True, slots=True)
class Team:
    """Whose key ends in an hour; the policy is about images of `host`."""

    policy: Path
    host: str

    def trusts(self, root: bytes) -> None:
        end = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        given = {
            "DIGEST": sha256(root).hexdigest(),
            "END": end,
            "HOST": self.host,
            "TYPE": PROVENANCE,
        }
        text = _POLICY
        for word, value in given.items():
            text = text.replace(word, value)
        (self.policy / "root.json").write_bytes(root)
        (self.policy / "policy.yaml").write_text(text)

    def admits(self, image: str, later: timedelta) -> bool:
        now = f"{datetime.now(UTC) + later:%Y-%m-%dT%H:%M:%SZ}"
        about = ("--stage", "production", "--policy", str(self.policy), "--now", now)
        return run(["verify", image, *about]) == 0


@pytest.fixture
def team(tmp_path: Path, registry: Registry, cosign: Cosign, server: Server) -> Team:
    shutil.copy(cosign.public, tmp_path)
    made = Team(tmp_path, registry.host)
    made.trusts(server.sigstore.trusted_root())
    return made


@pytest.fixture
def image(registry: Registry) -> str:
    digest = registry.push_image("shop/web", secrets.token_bytes(8))
    return f"{registry.host}/shop/web@{digest}"


def _attests(cosign: Cosign, image: str, config: bytes, root: bytes) -> None:
    for name, data in (("config.json", config), ("root.json", root), ("provenance.json", b"{}")):
        (cosign.directory / name).write_bytes(data)
    what = ("--type", PROVENANCE, "--predicate", "provenance.json")
    where = ("--signing-config", "config.json", "--trusted-root", "root.json")
    cosign.run("attest", "--key", "ci.key", "--yes", *what, *where, image)


@pytest.mark.parametrize("proof", PROOFS)
def test_what_is_proven_to_be_signed_while_the_key_was_valid_counts_after_its_end(
    team: Team, cosign: Cosign, server: Server, image: str, proof: str
) -> None:
    log, has_stamp = PROOFS[proof]
    sigstore = server.sigstore
    _attests(cosign, image, sigstore.signing_config(log, tsa=has_stamp), sigstore.trusted_root())

    assert team.admits(image, timedelta(0))
    assert team.admits(image, timedelta(days=30))

    team.trusts(Sigstore("another").trusted_root())
    assert team.admits(image, timedelta(0))
    assert not team.admits(image, timedelta(days=30))


def test_what_nobody_proves_counts_until_the_end_of_the_key(
    team: Team, cosign: Cosign, image: str
) -> None:
    cosign.attest(image, "{}", PROVENANCE)

    assert team.admits(image, timedelta(0))
    assert not team.admits(image, timedelta(days=30))
