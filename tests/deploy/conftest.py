from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.base import one


@pytest.fixture
def webhook() -> dict[str, Any]:
    (found,) = one("ValidatingWebhookConfiguration")["webhooks"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def pod() -> dict[str, Any]:
    spec = one("Deployment")["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found
