"""How much of an answer is read, to the byte (rule R2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stagepass.bundle import MAX_BYTES
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import INDEX_TYPE, MANIFEST_TYPE
from tests.registry import digest_in, reference
from tests.registry.conftest import Connect
from tests.registry.raw import Raw, response

Ask = Callable[[RegistryClient, ImageRef], Any]
EMPTY_INDEX = b'{"schemaVersion":2,"manifests":[]}'


def soon() -> Deadline:
    return Deadline.after(20)


LISTING, MANIFEST, BUNDLE = 4 << 20, 1 << 20, 1 << 20
ASKS: dict[str, tuple[int, str, Ask]] = {
    "referrers": (LISTING, INDEX_TYPE, lambda c, i: c.referrers(i, digest_in(i), soon())),
    "tag": (LISTING, INDEX_TYPE, lambda c, i: c.tag_index(i, digest_in(i), soon())),
    "manifest": (MANIFEST, MANIFEST_TYPE, lambda c, i: c.manifest(i, digest_in(i), soon())),
    "blob": (BUNDLE, "application/octet-stream", lambda c, i: c.blob(i, digest_in(i), soon())),
}


def ask(kind: str, length: int, connect: Connect, *, has_length: bool = True) -> Any:
    """The answer to it where the body is of `length` bytes: an empty index and blanks."""
    _, media_type, request = ASKS[kind]
    body = EMPTY_INDEX.ljust(length)
    lines = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nConnection: close\r\n\r\n"
    whole = response(body, f"Content-Type: {media_type}")
    with Raw(whole if has_length else lines.encode() + body) as raw:
        return request(connect(raw.host), reference(raw.host, Digest.of(body)))


@pytest.mark.parametrize("kind", ASKS)
def test_as_much_as_may_be_is_read(kind: str, connect: Connect) -> None:
    assert ask(kind, ASKS[kind][0], connect) is not None


@pytest.mark.parametrize("has_length", [True, False])
@pytest.mark.parametrize("kind", ASKS)
def test_a_byte_more_is_a_limit_and_never_nothing_found(
    kind: str, has_length: bool, connect: Connect
) -> None:
    most = ASKS[kind][0]
    with pytest.raises(Unavailable, match=f"over {most} bytes") as refused:
        ask(kind, most + 1, connect, has_length=has_length)
    assert refused.value.code == Code.EVIDENCE_LIMIT


def test_what_is_fetched_is_what_may_be_stored() -> None:
    assert MAX_BYTES == BUNDLE
