"""The gate speaks to the registries that the policy names, and to nobody an object names (B61)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulators.registry import Registry
from tests.webhook.reviews import create
from tests.webhook.server import Server
from tests.webhook.shop import HOST, Shop

_DIGEST = f"@sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture(scope="module")
def server(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gate whose policy names one host, for which the registry on loopback stands in."""
    directory: Path = tmp_path_factory.mktemp("gate")
    shop = Shop(directory / "shop")
    mirror = f"{HOST}={registry.url}"
    with Server(directory, shop, evidence="registry", REGISTRIES=mirror, DEADLINE="5") as gate:
        yield gate


def test_the_host_that_the_policy_names_is_asked(server: Server, registry: Registry) -> None:
    """Else the counts below would mean nothing."""
    registry.requests.clear()

    server.judge(create(server.shop.image()))

    assert registry.requests != []


@pytest.mark.parametrize("namespace", ["shop", "preview", "nowhere"])
@pytest.mark.parametrize(
    "name",
    [
        "169.254.169.254/latest/meta-data",
        "169.254.169.254:80/shop/web",
        "kubernetes.default.svc/shop/web",
        "kubernetes.default.svc:443/api/v1/secrets",
        "localhost/shop/web",
        "localhost:6443/shop/web",
        "[::1]:6443/shop/web",
        "metadata.google.internal/shop/web",
        f"evil.example/{HOST}/shop/web",
        f"{HOST}.evil.example/shop/web",
        f"evil-{HOST}/shop/web",
        f"{HOST}:5000/shop/web",
        f"{HOST.upper()}/shop/web",
        "shop/web",
        "web",
        "THE MIRROR/shop/web",
    ],
)
def test_a_host_that_the_policy_does_not_name_is_never_asked(
    server: Server, registry: Registry, name: str, namespace: str
) -> None:
    registry.requests.clear()
    name = name.replace("THE MIRROR", registry.host)

    response = server.judge(create(name + _DIGEST, namespace=namespace))

    assert response["auditAnnotations"]["decision"] == "denied"
    assert response["auditAnnotations"]["codes"] == "UNLISTED"
    assert response["allowed"] is (namespace == "preview")
    assert registry.requests == []


@pytest.mark.parametrize(
    "name",
    [
        f"user@{HOST}/shop/web",
        f"https://{HOST}/shop/web",
        f"{HOST}/../shop/web",
        f"{HOST}/shop/../../other/web",
        f"{HOST}/shop/web?x=1",
        f"{HOST}/shop/web#x",
        f"{HOST}//shop/web",
        f"{HOST}/shop/%2e%2e/web",
        f"{HOST}:x/shop/web",
        f"{HOST}\r\nHost: evil.example/shop/web",
        f"{HOST}\\@evil.example/shop/web",
    ],
)
def test_what_is_no_reference_is_never_asked_for(
    server: Server, registry: Registry, name: str
) -> None:
    registry.requests.clear()

    response = server.judge(create(name + _DIGEST))

    assert response["status"]["code"] == 403
    assert response["auditAnnotations"]["codes"] == "IMAGE_INVALID"
    assert registry.requests == []
