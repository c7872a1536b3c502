"""One bundle, verified by our key ring and by sigstore's own verifier, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy

from bench import sample
from bench.figures import Goal, Is, Row
from bench.keyless_site import ISSUER, REPOSITORY, holder
from bench.site import CLUSTER, PIPELINE
from stagepass.attestor import KeyRing
from stagepass.digest import Digest
from stagepass.evidence import Candidate, Rejection
from stagepass.identity import Glob, Identity
from stagepass.keyless.verify import CertificateVerifier
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_PASSED
from stagepass.predicates.passed import PassDetails
from stagepass.statement import compose
from tests.simulators.sigstore import Sigstore

_GOAL = Goal(Is.AT_MOST, 1.2)
_NAME, _DIGEST = "registry.example.com/shop/checkout", Digest.of(b"checkout")
_KINDS = (("v1", False), ("v1", True), ("v2", True))

Run = Callable[[], None]


def measure(*, rounds: int, batch: int) -> list[Row]:
    """`rounds` pairs of `batch` verifications each, for every kind of proof a bundle may bring."""
    sigstore = Sigstore()
    rows = []
    for log, has_stamp in _KINDS:
        data = sigstore.bundle(_payload(), holder(1), log=log, tsa=has_stamp)
        runs = _ours(sigstore, data), _theirs(sigstore, data)
        taken: tuple[list[float], list[float]] = ([], [])
        for run in runs:
            _cpu_ms(run, batch)
        for turn in range(rounds):
            for index in (0, 1) if turn % 2 else (1, 0):
                taken[index].append(_cpu_ms(runs[index], batch))
        name = f"Rekor {log}{' and a time stamp' if has_stamp else ''}: CPU a bundle"
        rows.append(sample.compare(name, "ms", *taken, _GOAL))
    return rows


def _payload() -> bytes:
    now = datetime.now(UTC)
    details = PassDetails(PIPELINE, "s1", Environment(CLUSTER, namespace="s1"))
    image = f"{_NAME}@{_DIGEST}"
    predicate = details.compose(image=image, now=now, valid_for=timedelta(days=1))
    return compose(name=_NAME, digest=_DIGEST, predicate_type=STAGE_PASSED, predicate=predicate)


def _ours(sigstore: Sigstore, data: bytes) -> Run:
    """From bytes to an attestation: who may sign is a pattern, and a claim is asked for."""
    subject = Glob.parse(f"{REPOSITORY}/.github/workflows/s1.yml@refs/heads/*")
    wanted = Identity(ISSUER, subject, {"repository": Glob.parse(REPOSITORY)})
    verifier = CertificateVerifier({"bench": sigstore.trusted_root()})
    ring, candidate = KeyRing.of([(wanted, "ci")], verifier), Candidate(data, "bench")

    def run() -> None:
        found = ring.verify(candidate, _DIGEST)
        assert not isinstance(found, Rejection), found

    return run


def _theirs(sigstore: Sigstore, data: bytes) -> Run:
    """As its manual has it: the payload of whoever is named, exactly."""
    config = ClientTrustConfig.from_json(sigstore.trust_config("v2", tsa=True).decode())
    verifier = Verifier(trusted_root=config.trusted_root)
    wanted = policy.Identity(identity=holder(1).subject, issuer=ISSUER)

    def run() -> None:
        verifier.verify_dsse(Bundle.from_json(data), wanted)

    return run


def _cpu_ms(run: Run, batch: int) -> float:
    before = time.process_time()
    for _ in range(batch):
        run()
    return (time.process_time() - before) * 1000 / batch
