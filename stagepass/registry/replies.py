"""What an answer amounts to: what was asked for, or why we do not know."""

from __future__ import annotations

from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.errors import Unavailable
from stagepass.registry.transport import Reply


class NotFound(Unavailable):
    """The registry answered 404 for what should be there."""


class Throttled(Unavailable):
    """The registry answered 429: whoever asks again makes it worse."""


class ServerError(Unavailable):
    """The registry answered 500 or above: it may be well in a moment."""


def unavailable(message: str) -> Unavailable:
    """What keeps us from knowing, with its code."""
    return Unavailable(Code.REGISTRY_UNAVAILABLE, message)


def expect(reply: Reply, status: int, what: str) -> Reply:
    """The reply, if it has this status. Raises one of the above, or `Unavailable`."""
    if reply.status == status:
        return reply
    other = ServerError if reply.status >= 500 else Unavailable
    kind = {404: NotFound, 429: Throttled}.get(reply.status, other)
    meaning = {401: ": no login of ours is accepted", 403: ": not permitted"}
    raise kind(
        Code.REGISTRY_UNAVAILABLE,
        f"{reply.host} answered {reply.status} for {what}{meaning.get(reply.status, '')}",
    )


def hashed(reply: Reply, digest: Digest) -> Reply:
    """The reply, if its body is what `digest` names. Raises `Unavailable`."""
    if Digest.of(reply.body) != digest:
        raise unavailable(f"{reply.host} sent other bytes than {digest}")
    return reply
