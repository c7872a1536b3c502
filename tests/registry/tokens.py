"""A registry that wants tokens."""

from __future__ import annotations

import base64

from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.registry.client import RegistryClient
from tests.registry import digest_in
from tests.simulators.registry import Registry

LOGIN = ("ci", "s3:cret")
BASIC = "Basic " + base64.b64encode(b"ci:s3:cret").decode()
WORD = "t0ken"


def asking(registry: Registry, realm: str = "") -> None:
    """From now on `registry` wants a token from `realm`, by default its own."""
    realm = realm or f"{registry.url}/token"
    registry.faults.bearer = f'Bearer realm="{realm}",service="registry of shop",scope="x:y:z"'
    registry.faults.token = WORD


def ask(client: RegistryClient, image: ImageRef, seconds: float = 5.0) -> None:
    client.referrers(image, digest_in(image), Deadline.after(seconds))
