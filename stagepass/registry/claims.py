"""What a bundle claims, for people: who signed it is another question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import AttestationError
from stagepass.predicates.members import BASE
from stagepass.statement import PAYLOAD_TYPE, Statement

_TIMES = ("timeVerified", "timeApproved", "entered", "issued")


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Of a statement, "" for what it does not say.

    Place and times are read from our own predicate types only, as they stand.
    """

    predicate_type: str = ""
    payload_digest: str = ""
    pipeline: str = ""
    stage: str = ""
    cluster: str = ""
    time: str = ""
    expires: str = ""

    @classmethod
    def of(cls, statement: Statement) -> Claim:
        """What a statement says."""
        kind, payload = statement.predicate_type, str(statement.payload_digest)
        if not kind.startswith(f"{BASE}/"):
            return cls(kind, payload)
        said = statement.predicate
        scope, where = _object(said.get("scope")), _object(said.get("environment"))
        return cls(
            kind,
            payload,
            pipeline=_text(said.get("pipeline") or scope.get("pipeline")),
            stage=_text(said.get("stage") or scope.get("stage")),
            cluster=_text(where.get("clusterName")),
            time=next((_text(said[name]) for name in _TIMES if name in said), ""),
            expires=_text(said.get("expires")),
        )

    @classmethod
    def read(cls, data: bytes, digest: Digest) -> Claim:
        """
        What a bundle v0.3 says about `digest`.

        Raises `AttestationError` for what no policy would accept, whoever signed it.
        """
        envelope = Bundle.parse(data).envelope
        if envelope.payload_type != PAYLOAD_TYPE:
            message = f"payloadType {envelope.payload_type!r} is not an in-toto statement"
            raise AttestationError(Code.STATEMENT_INVALID, message)
        statement = Statement.parse(envelope.payload)
        if digest not in statement.digests:
            raise AttestationError(Code.SUBJECT_MISMATCH, "signed for another digest")
        return cls.of(statement)

    def identity(self) -> dict[str, str]:
        """What it is, for machines."""
        return {"predicateType": self.predicate_type, "payloadDigest": self.payload_digest}

    def to_json(self) -> dict[str, str]:
        """All of it, for machines."""
        return {
            **self.identity(),
            "pipeline": self.pipeline,
            "stage": self.stage,
            "cluster": self.cluster,
            "time": self.time,
            "expires": self.expires,
        }


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
