"""
`POST /validate` in plain WSGI: HTTP in, HTTP out, no decision.

A framework's request, routing and response would cost as much processor as the rest of a remembered
decision, at every write to the cluster. Whatever is no review is flask's, in `routes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from stagepass import strictjson
from stagepass.errors import InputError
from stagepass.review import MAX_BYTES
from webhook import metrics
from webhook.answers import one_line
from webhook.body import TooLarge, read_body
from webhook.gate import Gate

_PATH = "/validate"
# An error quotes what is wrong, and that may be megabytes of it.
_MAX_ERROR = 1024


class Reviews:
    """Answers reviews, and hands any other path to `others`."""

    def __init__(self, gate: Gate, others: WSGIApplication) -> None:
        self._gate, self._others = gate, others

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        if environ["PATH_INFO"] != _PATH:
            return self._others(environ, start_response)
        status, body = self._answer(environ)
        length = str(len(body))
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", length)])
        return [body]

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, bytes]:
        """HTTP 200 whatever the verdict: a denial is an answer. What is no review is an error."""
        if environ["REQUEST_METHOD"] != "POST":
            return "405 Method Not Allowed", _error("a review is asked for by POST")
        try:
            body = read_body(environ)
            return "200 OK", self._gate.answer(body, _granted(environ["QUERY_STRING"]))
        except InputError as error:
            metrics.REFUSED_REQUESTS.labels("400").inc()
            return "400 Bad Request", _error(one_line(str(error), _MAX_ERROR))
        except TooLarge:
            metrics.REFUSED_REQUESTS.labels("413").inc()
            message = f"a review has at most {MAX_BYTES} bytes"
            return "413 Request Entity Too Large", _error(message)


def _error(message: str) -> bytes:
    return strictjson.dumps({"error": message})


def _granted(query: str) -> float | None:
    """The API server's `?timeout=10s`, the first of several; anything else grants nothing."""
    for member in query.split("&"):
        name, _, text = member.partition("=")
        if name == "timeout":
            number = text.removesuffix("s")
            is_number = number.isascii() and number.isdigit() and len(number) < 4
            return float(number) if is_number else None
    return None
