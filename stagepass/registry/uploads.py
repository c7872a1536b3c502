"""Writing: blobs, manifests and tags (distribution-spec 1.1, "Push")."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Deadline
from stagepass.registry.replies import expect
from stagepass.registry.session import Session


def push_blob(session: Session, image: ImageRef, data: bytes, deadline: Deadline) -> Digest:
    """Store `data` unless it is there. Raises `Unavailable`."""
    digest = Digest.of(data)
    blob, what = session.resource(image, f"blobs/{digest}", is_push=True), f"the blob {digest}"
    there = session.send("HEAD", blob, deadline)
    if there.status == 200:
        return digest
    if there.status >= 400 and there.status != 404:
        expect(there, 200, what)
    uploads = session.resource(image, "blobs/uploads/", is_push=True)
    start = expect(session.send("POST", uploads, deadline), 202, what)
    location = start.joined(start.header("Location"))
    joint = "&" if urlsplit(location).query else "?"
    target = uploads.following(f"{location}{joint}digest={quote(str(digest), safe='')}")
    headers = {"Content-Type": "application/octet-stream"}
    expect(session.send("PUT", target, deadline, headers=headers, body=data), 201, what)
    return digest


def push_manifest(
    session: Session,
    image: ImageRef,
    body: bytes,
    media_type: str,
    deadline: Deadline,
    *,
    tag: str = "",
) -> Digest:
    """
    Store a manifest under its digest, or under `tag`. What it names has to be there already.

    Raises `Unavailable`.
    """
    digest, headers = Digest.of(body), {"Content-Type": media_type}
    manifest = session.resource(image, f"manifests/{tag or digest}", is_push=True)
    reply = session.send("PUT", manifest, deadline, headers=headers, body=body)
    expect(reply, 201, f"the tag {tag}" if tag else f"the manifest {digest}")
    return digest
