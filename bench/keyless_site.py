"""A site whose stages are signed for by keys and by identities alike, and the Sigstore they are of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from bench.site import CLUSTER, PIPELINE, Site
from stagepass.digest import Digest
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.passed import PassDetails
from stagepass.statement import compose
from tests.simulators.sigstore import Identity, Sigstore

ISSUER = "https://token.actions.githubusercontent.com"
REPOSITORY = "https://github.com/acme/shop"
_WORKFLOW = f"{REPOSITORY}/.github/workflows"
_ROOTS = 'trustRoots: [{{name: bench, file: trust/bench.json, sha256: "{}"}}]\nattestors:'


def holder(stage: int) -> Identity:
    """Who signs for stage `s1` and so on, as a certificate says it."""
    subject = f"{_WORKFLOW}/s{stage}.yml@refs/heads/main"
    return Identity(ISSUER, subject, {"source-repository-uri": REPOSITORY})


@dataclass(frozen=True, slots=True)
class KeylessSite:
    """`site`, with an identity beside each key, of one trust root: that of `sigstore`."""

    site: Site
    sigstore: Sigstore

    @classmethod
    def create(cls, root: Path, host: str) -> Self:
        """As `Site.create`."""
        site, sigstore = Site.create(root, host), Sigstore()
        trusted = sigstore.trusted_root()
        (site.policy / "trust").mkdir()
        (site.policy / "trust" / "bench.json").write_bytes(trusted)
        policy = site.policy / "policy.yaml"
        text = policy.read_text()
        text = text.replace("attestors:", _ROOTS.format(hashlib.sha256(trusted).hexdigest()))
        for stage in range(1, len(site.public_keys()) + 1):
            pattern = f"{_WORKFLOW}/s{stage}.yml@refs/heads/*"
            identity = f'issuer: {ISSUER}, subject: "{pattern}", owner: k{stage}'
            text = text.replace(
                f"owner: k{stage}}}]", f"owner: k{stage}}}], identities: [{{{identity}}}]"
            )
        policy.write_text(text)
        return cls(site, sigstore)

    def sign(self, name: str, digest: Digest, passes: int) -> list[bytes]:
        """As `Site.sign`, each pass by an identity: log entry and time stamp."""
        now = datetime.now(UTC)
        signed = []
        for stage in range(1, passes + 1):
            where = Environment(CLUSTER, namespace=f"s{stage}")
            details = PassDetails(PIPELINE, f"s{stage}", where)
            predicate = details.compose(
                image=f"{name}@{digest}", now=now, valid_for=timedelta(days=1)
            )
            payload = compose(
                name=name, digest=digest, predicate_type=STAGE_PASSED, predicate=predicate
            )
            signed.append(self.sigstore.bundle(payload, holder(stage), log="v2", tsa=True))
        return signed


def write(evidence: Path, digest: Digest, bundles: list[bytes]) -> None:
    """Into the directory of evidence `evidence`."""
    folder = evidence / f"sha256-{digest.hex}"
    folder.mkdir(parents=True)
    for number, bundle in enumerate(bundles):
        (folder / f"{number}.sigstore.json").write_bytes(bundle)
