"""Calls of sigstore's services: bounded, quiet, and with errors that say who refused what."""

from __future__ import annotations

import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sigstore.errors import Error
from sigstore.oidc import ExpiredIdentity

from stagepass.decision import Code
from stagepass.errors import InputError, StagepassError, Unavailable

T = TypeVar("T")

SECONDS = 60.0
"""For one call. The library sets no limit; a log may take 20 s to include an entry (rekor-tiles)."""

_MAX_TOLD = 400  # characters of what a stranger's service answers
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_REFUSALS = range(400, 500)
_BUSY = {408, 425, 429}
_OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def call(work: Callable[[], T], authority: str, seconds: float = SECONDS) -> tuple[T, list[str]]:
    """
    What `work` returns, and what the library warned of meanwhile, which nobody else sees.

    `authority` is the certificate authority, for people. Raises `InputError` where it was refused,
    `Unavailable` for all else that fails, and after `seconds`.
    """
    done: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:
            failed.append(error)

    # Not to be waited for at exit: who hangs in there has no time limit of its own.
    thread = threading.Thread(target=run, daemon=True)
    with quiet() as said, _same_authorities():
        thread.start()
        thread.join(seconds)
    if failed and isinstance(failed[0], StagepassError):
        raise failed[0]
    if failed:
        raise _spoken(failed[0], authority, said) from failed[0]
    if not done:
        raise Unavailable(Code.DEADLINE, f"no answer within {seconds:g} seconds")
    return done[0], said


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what libraries log and warn of from the terminal; yields the messages."""
    said: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(_cut(record.getMessage()))

    keeper, root = Keeper(logging.WARNING), logging.getLogger()
    root.addHandler(keeper)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield said
    finally:
        root.removeHandler(keeper)


@contextmanager
def _same_authorities() -> Iterator[None]:
    """
    Have requests, by which sigstore calls, trust the file SSL_CERT_FILE, as all else here does.

    It reads variables of its own, which win, and else a list that comes with it.
    """
    file = os.environ.get("SSL_CERT_FILE")
    if not file or any(os.environ.get(name) for name in _OF_REQUESTS):
        yield
        return
    os.environ[_OF_REQUESTS[0]] = file
    try:
        yield
    finally:
        os.environ.pop(_OF_REQUESTS[0], None)


def _spoken(error: Exception, authority: str, said: list[str]) -> StagepassError:
    kind = type(error).__name__
    if isinstance(error, ExpiredIdentity):
        return InputError("the token has expired", hint="ask the CI for a new one")
    if kind == "ExpiredCertificate":
        return InputError("the certificate expired before it was used", hint="try again")
    if isinstance(error, Error) and said:  # the library passed a time stamp authority over
        return _away("; ".join(said))
    if isinstance(error, Error):  # such as a certificate that no known log has seen
        message = f"answers what its trust configuration does not back: {told(error)}"
        return InputError(message, where=authority)
    response = getattr(error.__cause__ or error.__context__, "response", None)
    if response is not None:
        return _answered(response, kind, authority)
    url = getattr(getattr(error, "request", None), "url", None)
    return _away(f"{url}: {_innermost(error)}" if url else f"{kind}: {told(error)}")


def _answered(response: Any, kind: str, authority: str) -> StagepassError:
    status = int(response.status_code)
    answer = f"{status} {_message(response.text)}".strip()
    if kind == "FulcioClientError" and status in _REFUSALS and status not in _BUSY:
        hint = "it must take this issuer, and the token be for its audience"
        return InputError(f"refuses the token: {answer}", where=authority, hint=hint)
    return _away(f"{response.url} answers {answer}")


def _innermost(error: Exception) -> str:
    """What a connection failed of, without what each library around it says of its own objects."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return _cut(str(reason).rpartition("): ")[2].rpartition(">: ")[2])


def _message(text: str) -> str:
    """What an error's body says: its `message` where it is JSON."""
    try:
        document = json.loads(text)
    except ValueError:
        return _cut(text)
    message = document.get("message") if isinstance(document, dict) else None
    return _cut(message if isinstance(message, str) else text)


def _away(message: str) -> Unavailable:
    return Unavailable(Code.REGISTRY_UNAVAILABLE, message)


def told(error: Exception) -> str:
    """One printable line."""
    return _cut(str(error)) or type(error).__name__


def local_or_https(url: str, where: str) -> None:
    """Raises `InputError` for a URL to which a secret would go in the clear."""
    parts = urlsplit(url)
    if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise InputError(f"{url!r} is no https URL", where=where)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= _MAX_TOLD else f"{line[:_MAX_TOLD]}..."
