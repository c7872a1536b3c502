"""The distribution protocol without its wire: a request in, an answer out, faults included."""

from __future__ import annotations

import base64
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from tests.simulators.oci import (
    DIGEST,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Repository,
    digest_in,
    digest_of,
    dump,
    parse,
)
from tests.simulators.oci_tokens import Tokens, refresh_token

_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_ROUTE = re.compile(
    rf"/v2/({_NAME}(?:/{_NAME})*)/(manifests|referrers|blobs/uploads|blobs)/([^/]*)"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: `path` with its query, header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Faults:
    """How to misbehave; read anew at each request, so a test may change it at any time."""

    referrers: bool = True
    """False: 404 from the referrers API, no `OCI-Subject`, pushed subjects are not indexed."""
    latency: float = 0.0
    """Seconds before every answer."""
    hang: bool = False
    """Read every request, answer none, until the registry stops."""
    trickle: float = 0.0
    """Seconds before each single byte of a body."""
    truncate: bool = False
    """Right Content-Length, half the body, then close."""
    lie: bool = False
    """Manifests and blobs do not match their digest; JSON keeps its meaning."""
    status: int | None = None
    """The status of every answer."""
    path_status: dict[str, int] = field(default_factory=dict)
    """Substring of the path (with its query) → status."""
    unreadable: str | None = None
    """404 for GET of paths that end so, as from a replica that lags behind."""
    basic: tuple[str, str] | None = None
    """User and password, else 401. Together with `bearer` asked for at `/token` only."""
    bearer: str | None = None
    """The whole `WWW-Authenticate` value of a 401, sent unless `token` is presented."""
    token: str | None = None
    """Begins every token of `/token`, which `bearer` accepts; None: nothing satisfies `bearer`."""
    expires_in: int | None = 300
    """What `/token` says of a token's life, in seconds; None: nothing. It lives as long as `token`."""
    identity: str | None = None
    """The identity token that `/token` wants (POST), in place of `basic`."""
    page_size: int | None = None
    """Referrers per page; the rest is behind `Link: …; rel="next"`."""
    lost_tags: int = 0
    """So many writes of a tag are answered and then gone, as if another writer came after them."""
    torn_tags: int = 0
    """500 for so many requests for a `sha256-` tag, as while docker-registry is writing it."""
    redirect: str | None = None
    """307 for GET and HEAD of blobs, to this URL followed by the same path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response but for its Content-Length."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Call:
    """A routed request."""

    name: str
    repository: Repository
    reference: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def _json(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, body, {"Content-Type": "application/json", **(headers or {})})


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> Answer:
    message = code.lower().replace("_", " ")
    return _json(status, dump({"errors": [{"code": code, "message": message}]}), headers)


def _altered(body: bytes) -> bytes:
    """Other bytes of the same meaning, and of the same length where there is a `": `."""
    moved = body.replace(b'": ', b'" :', 1)
    return moved if moved != body else body + b" "


class Api:
    """Every repository of one registry, and how it answers."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.lock = threading.RLock()
        self.tokens = Tokens()
        self._repositories: dict[str, Repository] = {}
        self._doors: dict[tuple[str, str], Callable[[_Call], Answer]] = {
            ("GET", "manifests"): self._manifest,
            ("PUT", "manifests"): self._put_manifest,
            ("GET", "blobs"): self._blob,
            ("GET", "referrers"): self._referrers,
            ("POST", "blobs/uploads"): self._start,
            ("PATCH", "blobs/uploads"): self._append,
            ("PUT", "blobs/uploads"): self._finish,
        }

    def repository(self, name: str) -> Repository:
        """The repository called `name`; a new, empty one at first sight."""
        return self._repositories.setdefault(name, Repository())

    def answer(self, request: Request, body: bytes) -> Answer:
        """A HEAD is answered as a GET: leaving out the body is the wire's work."""
        if refusal := self._refusal(request):
            return refusal
        path, _, query = request.path.partition("?")
        if path in ("/v2/", "/v2"):
            return _json(200, b"{}")
        if path == "/token" and self.faults.token:
            return self._token(self.faults.token, query, body)
        if not (route := _ROUTE.fullmatch(path)):
            return _error(404, "NAME_INVALID")
        name, kind, reference = route.groups()
        door = self._doors.get(("GET" if request.method == "HEAD" else request.method, kind))
        if door is None:
            return _error(405, "UNSUPPORTED")
        fields = dict(parse_qsl(query)) if query else {}
        return door(_Call(name, self.repository(name), reference, fields, request.headers, body))

    def _refusal(self, request: Request) -> Answer | None:
        faults = self.faults
        if faults.status is not None:
            return _error(faults.status, "UNKNOWN")
        for part, status in tuple(faults.path_status.items()):
            if part in request.path:
                return _error(status, "UNKNOWN")
        if (
            faults.unreadable
            and request.method == "GET"
            and request.path.endswith(faults.unreadable)
        ):
            return _error(404, "UNKNOWN")
        if challenge := self._challenge(request):
            return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})
        if faults.torn_tags > 0 and "/manifests/sha256-" in request.path:
            faults.torn_tags -= 1
            return _error(500, "UNKNOWN")
        is_read = request.method in ("GET", "HEAD")
        if faults.redirect is not None and is_read and "/blobs/sha256:" in request.path:
            return Answer(307, b"", {"Location": faults.redirect.rstrip("/") + request.path})
        return None

    def _token(self, word: str, query: str, body: bytes) -> Answer:
        faults = self.faults
        if faults.identity is not None and refresh_token(body) != faults.identity:
            return _error(401, "UNAUTHORIZED")
        token = self.tokens.issue(word, body.decode("latin-1") or query)
        name = "token" if faults.identity is None else "access_token"
        life = {} if faults.expires_in is None else {"expires_in": faults.expires_in}
        return _json(200, dump({name: token, **life}))

    def _challenge(self, request: Request) -> str | None:
        faults, given = self.faults, request.headers.get("authorization", "")
        path = request.path.partition("?")[0]
        if faults.bearer is not None and path != "/token":
            word, method = faults.token, request.method
            is_known = word is not None and self.tokens.permit(word, given, method, path)
            return None if is_known else faults.bearer
        if faults.basic is None or (path == "/token" and faults.identity is not None):
            return None
        wanted = base64.b64encode(":".join(faults.basic).encode()).decode()
        return None if given == f"Basic {wanted}" else 'Basic realm="simulator"'

    def _content(self, body: bytes, media_type: str, digest: str) -> Answer:
        body = _altered(body) if self.faults.lie else body
        return Answer(200, body, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _manifest(self, call: _Call) -> Answer:
        found = call.repository.manifest(call.reference)
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        digest, media_type, body = found
        return self._content(body, media_type, digest)

    def _blob(self, call: _Call) -> Answer:
        body = call.repository.blobs.get(call.reference)
        if body is None:
            return _error(404, "BLOB_UNKNOWN")
        return self._content(body, "application/octet-stream", call.reference)

    def _put_manifest(self, call: _Call) -> Answer:
        tag = None if ":" in call.reference else call.reference
        if tag is None and call.reference != digest_of(call.body):
            return _error(400, "DIGEST_INVALID")
        manifest = parse(call.body)
        if manifest is None or (tag is not None and not _TAG.fullmatch(tag)):
            return _error(400, "MANIFEST_INVALID")
        if call.repository.lacks(manifest):
            return _error(400, "MANIFEST_BLOB_UNKNOWN")
        media_type = call.headers.get("content-type", MANIFEST_TYPE)
        has_api = self.faults.referrers
        with self.lock:
            if tag is not None and self.faults.lost_tags > 0:
                self.faults.lost_tags -= 1
                tag = None
            digest = call.repository.put_manifest(call.body, media_type, tag=tag, index=has_api)
        subject = digest_in(manifest.get("subject"))
        headers = {
            "Location": f"/v2/{call.name}/manifests/{digest}",
            "Docker-Content-Digest": digest,
            **({"OCI-Subject": subject} if subject and has_api else {}),
        }
        return Answer(201, b"", headers)

    def _referrers(self, call: _Call) -> Answer:
        if not self.faults.referrers:
            return _error(404, "UNSUPPORTED")
        if not DIGEST.fullmatch(call.reference):
            return _error(400, "DIGEST_INVALID")
        found = list(call.repository.referrers.get(call.reference, {}).values())
        headers = {"Content-Type": INDEX_TYPE}
        if wanted := call.query.get("artifactType"):
            found = [entry for entry in found if entry.get("artifactType") == wanted]
            headers["OCI-Filters-Applied"] = "artifactType"
        if size := self.faults.page_size:
            start = int(call.query.get("start", "0"))
            if start + size < len(found):
                query = urlencode({**call.query, "start": start + size})
                path = f"/v2/{call.name}/referrers/{call.reference}"
                headers["Link"] = f'<{path}?{query}>; rel="next"'
            found = found[start : start + size]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": found}
        return Answer(200, dump(index), headers)

    def _start(self, call: _Call) -> Answer:
        if digest := call.query.get("digest"):
            return self._store(call, call.body, digest)
        session = secrets.token_hex(8)
        call.repository.uploads[session] = bytearray()
        return self._progress(call, session, 0)

    def _append(self, call: _Call) -> Answer:
        upload = call.repository.uploads.get(call.reference)
        if upload is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        start = call.headers.get("content-range", "").partition("-")[0]
        if start and start != str(len(upload)):
            return _error(416, "BLOB_UPLOAD_INVALID")
        upload += call.body
        return self._progress(call, call.reference, len(upload))

    def _progress(self, call: _Call, session: str, size: int) -> Answer:
        location = f"/v2/{call.name}/blobs/uploads/{session}"
        return Answer(202, b"", {"Location": location, "Range": f"0-{max(size - 1, 0)}"})

    def _finish(self, call: _Call) -> Answer:
        upload = call.repository.uploads.pop(call.reference, None)
        if upload is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        return self._store(call, bytes(upload) + call.body, call.query.get("digest", ""))

    def _store(self, call: _Call, data: bytes, digest: str) -> Answer:
        if digest_of(data) != digest:
            return _error(400, "DIGEST_INVALID")
        call.repository.put_blob(data)
        location = f"/v2/{call.name}/blobs/{digest}"
        return Answer(201, b"", {"Location": location, "Docker-Content-Digest": digest})
