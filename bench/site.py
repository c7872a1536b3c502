"""Keys, a policy of seven stages, passes and certificates, in a directory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.issue import issue
from certs.names import Names
from stagepass.digest import Digest
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.passed import PassDetails
from stagepass.signing import PrivateKey
from stagepass.statement import compose

CLUSTER, PIPELINE = "bench", "bench"
STAGES = 7
"""Stage K, in the namespace `sK`, asks for the passes of the K - 1 before it, each by a key of its own."""

_HEAD = "apiVersion: stagepass.dev/v1\nkind: {kind}\n"


def namespace(passes: int) -> str:
    """The one where an image needs this many passes."""
    return f"s{passes + 1}"


@dataclass(frozen=True, slots=True)
class Site:
    """What a gate needs, below `root`."""

    root: Path

    @classmethod
    def create(cls, root: Path, host: str, *more: str) -> Site:
        """
        A new one whose pipeline covers every repository of the registry `host`.

        `more` are further stages, each as YAML writes it in one line.
        """
        site = cls(root)
        public = site.policy / "keys"
        public.mkdir(parents=True)
        for stage in range(1, STAGES):
            _, path = PrivateKey.generate().write(site.root / "keys", f"s{stage}")
            path.rename(public / path.name)
        (site.policy / "policy.yaml").write_text(_policy(host, more))
        names = Names.of_service("stagepass", "stagepass-system", ips=["127.0.0.1"])
        issue(site.tls, names, days=1, replace=False, now=datetime.now(UTC))
        return site

    @property
    def policy(self) -> Path:
        """The policy set, with public keys only."""
        return self.root / "policy"

    @property
    def tls(self) -> Path:
        """`ca.crt`, `tls.crt`, `tls.key`."""
        return self.root / "tls"

    def key(self, stage: int) -> Path:
        """The private key that signs for stage `s1` and so on, also as the attestor `k1`."""
        return self.root / "keys" / f"s{stage}.key"

    def public_keys(self) -> list[bytes]:
        """PEM, in order of stages."""
        return [(self.policy / "keys" / f"s{k}.pub").read_bytes() for k in range(1, STAGES)]

    def sign(
        self, name: str, digest: Digest, passes: int, release: NamedRelease | None = None
    ) -> list[bytes]:
        """Bundles that say: the image `name@digest` passed the first `passes` stages, in `release`."""
        now = datetime.now(UTC)
        signed = []
        for stage in range(1, passes + 1):
            where = Environment(CLUSTER, namespace=f"s{stage}")
            details = PassDetails(PIPELINE, f"s{stage}", where, release=release)
            payload = compose(
                name=name,
                digest=digest,
                predicate_type=STAGE_PASSED,
                predicate=details.compose(
                    image=f"{name}@{digest}", now=now, valid_for=timedelta(days=1)
                ),
            )
            signed.append(PrivateKey.read(self.key(stage)).sign(payload).to_bytes())
        return signed


def _policy(host: str, more: tuple[str, ...]) -> str:
    stages = range(1, STAGES + 1)
    attestors = [f"  k{k}: {{keys: [{{file: keys/s{k}.pub, owner: k{k}}}]}}" for k in stages[:-1]]
    lines = [
        f"  - {{name: s{k}, clusters: [{CLUSTER}], namespaces: [s{k}]"
        + (f", signedBy: [k{k}]" if k < STAGES else "")
        + (f", after: [s{k - 1}]" if k > 1 else "")
        + "}"
        for k in stages
    ]
    return "\n".join(
        [
            _HEAD.format(kind="Attestors") + "attestors:",
            *attestors,
            "---",
            _HEAD.format(kind="Defaults") + "unlisted: deny",
            "---",
            _HEAD.format(kind="Pipeline") + f"metadata: {{name: {PIPELINE}}}",
            f'images: ["{host}/**"]',
            "stages:",
            *lines,
            *(f"  - {stage}" for stage in more),
            "",
        ]
    )
