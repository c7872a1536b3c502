"""A gate in this process: the webhook's own application over a policy and evidence on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.webhook.shop import CLUSTER, HOST, Shop
from tests.world import DIGEST, stored
from webhook.app import create_app


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    body: bytes


class Gate:
    """Its `attested` image may enter the namespace `shop`; to nothing else does anybody attest."""

    def __init__(self, directory: Path) -> None:
        self.shop = Shop(directory / "shop")
        self.attested = f"{HOST}/shop/web@{DIGEST}"  # the same in every run
        stored(self.shop.evidence, [self.shop.bundle(self.attested)], DIGEST)
        self._app = create_app(
            {
                "STAGEPASS_CLUSTER": CLUSTER,
                "STAGEPASS_POLICY": str(self.shop.policy),
                "STAGEPASS_EVIDENCE": f"dir:{self.shop.evidence}",
                "DOCKER_CONFIG": str(directory),
            }
        )
        self._client = self._app.test_client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._app.extensions["stagepass.policies"].close()

    def post(self, body: bytes) -> Answer:
        """The answer to a review with this body. An exception of the application comes through."""
        reply = self._client.post("/validate?timeout=10s", data=body)
        return Answer(reply.status_code, reply.data)
