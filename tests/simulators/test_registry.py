"""The simulator itself, asked over real HTTP, and by the real cosign."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3

from tests.cluster import tools
from tests.simulators.oci import EMPTY_TYPE
from tests.simulators.registry import (
    BUNDLE_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    STAGE_PASSED,
    Faults,
    Registry,
    digest_of,
)

APP = "shop/app"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=5) as pool:
        yield pool


def _referrers(http: urllib3.PoolManager, url: str) -> list[str]:
    return [entry["digest"] for entry in http.request("GET", url).json()["manifests"]]


def test_an_image_is_served_by_tag_and_digest(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    digest = registry.push_image(APP, b"one", tag="v1")
    assert digest != registry.push_image(APP, b"two")
    for reference in ("v1", digest):
        answer = http.request("GET", f"{registry.url}/v2/{APP}/manifests/{reference}")
        assert digest_of(answer.data) == digest == answer.headers["Docker-Content-Digest"]
        assert answer.headers["Content-Type"] == MANIFEST_TYPE
    head = http.request("HEAD", f"{registry.url}/v2/{APP}/manifests/v1")
    assert (head.data, head.headers["Content-Length"]) == (b"", str(len(answer.data)))
    layer = answer.json()["layers"][0]
    assert http.request("GET", f"{registry.url}/v2/{APP}/blobs/{layer['digest']}").data == b"one"
    missing = http.request("GET", f"{registry.url}/v2/{APP}/manifests/v2")
    assert (missing.status, missing.json()["errors"][0]["code"]) == (404, "MANIFEST_UNKNOWN")
    assert {request.method for request in registry.requests} == {"GET", "HEAD"}


def test_a_bundle_is_listed_as_cosign_stores_it(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    subject = registry.push_image(APP)
    digest = registry.attach(APP, subject, b"{}bundle")
    answer = http.request("GET", f"{registry.url}/v2/{APP}/referrers/{subject}")
    assert answer.headers["Content-Type"] == INDEX_TYPE
    (entry,) = answer.json()["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (digest, BUNDLE_TYPE)
    assert entry["annotations"]["dev.sigstore.bundle.predicateType"] == STAGE_PASSED
    other = http.request("GET", f"{registry.url}/v2/{APP}/referrers/{digest}")
    assert (other.status, other.json()["manifests"]) == (200, [])


def test_a_tag_lists_what_the_api_does_not(registry: Registry, http: urllib3.PoolManager) -> None:
    subject = registry.push_image(APP)
    attached = sorted(registry.attach(APP, subject, body, as_tag=True) for body in (b"1", b"2"))
    assert _referrers(http, f"{registry.url}/v2/{APP}/referrers/{subject}") == []
    tag = subject.replace(":", "-")
    assert _referrers(http, f"{registry.url}/v2/{APP}/manifests/{tag}") == attached


def test_pages_are_chained_by_link_and_filtered_on_request(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    subject = registry.push_image(APP)
    attached = {registry.attach(APP, subject, bytes([number])) for number in range(5)}
    body = json.dumps({"config": {"mediaType": EMPTY_TYPE}, "subject": {"digest": subject}})
    stranger = registry.put_manifest(APP, body.encode())
    registry.faults.page_size = 2
    path, found, pages = f"/v2/{APP}/referrers/{subject}", [], 0
    while path:
        answer = http.request("GET", registry.url + path)
        found += [entry["digest"] for entry in answer.json()["manifests"]]
        target, _, relation = answer.headers.get("Link", "").partition(">; ")
        path, pages = target.removeprefix("<"), pages + 1
        assert relation == ('rel="next"' if path else "")
    assert (set(found), len(found), pages) == (attached | {stranger}, 6, 3)
    registry.faults.page_size = None
    url = f"{registry.url}/v2/{APP}/referrers/{subject}?artifactType="
    filtered = http.request("GET", url + quote(BUNDLE_TYPE, safe=""))
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    assert {entry["digest"] for entry in filtered.json()["manifests"]} == attached
    assert _referrers(http, url + BUNDLE_TYPE) == []  # an unescaped + is a space
    assert _referrers(http, url + quote(EMPTY_TYPE, safe="")) == [stranger]


@pytest.mark.parametrize("has_api", [True, False])
def test_a_subject_is_acknowledged_and_indexed_only_with_the_api(
    registry: Registry, http: urllib3.PoolManager, has_api: bool
) -> None:
    registry.faults.referrers = has_api
    subject = registry.push_image(APP)
    config = registry.put_blob(APP, b"{}")
    body = json.dumps({"config": {"digest": config}, "subject": {"digest": subject}}).encode()
    url = f"{registry.url}/v2/{APP}/manifests/{digest_of(body)}"
    answer = http.request("PUT", url, body=body, headers={"Content-Type": MANIFEST_TYPE})
    assert (answer.status, answer.headers.get("OCI-Subject")) == (201, subject if has_api else None)
    listing = f"{registry.url}/v2/{APP}/referrers/{subject}"
    assert http.request("GET", listing).status == (200 if has_api else 404)
    registry.faults.referrers = True
    assert _referrers(http, listing) == ([digest_of(body)] if has_api else [])


def test_a_manifest_is_refused_for_a_wrong_digest_a_lacking_blob_or_no_json(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    manifests = f"{registry.url}/v2/{APP}/manifests"
    lacking = json.dumps({"layers": [{"digest": digest_of(b"absent")}]}).encode()
    cases = [
        (digest_of(b"other"), b"{}", "DIGEST_INVALID"),
        (digest_of(lacking), lacking, "MANIFEST_BLOB_UNKNOWN"),
        ("v1", b"[", "MANIFEST_INVALID"),
    ]
    for reference, body, code in cases:
        answer = http.request("PUT", f"{manifests}/{reference}", body=body)
        assert (answer.status, answer.json()["errors"][0]["code"]) == (400, code)


def test_a_blob_is_uploaded_in_one_step_and_in_two(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    uploads = f"{registry.url}/v2/{APP}/blobs/uploads/"
    at_once = http.request("POST", f"{uploads}?digest={digest_of(b'one')}", body=b"one")
    assert at_once.status == 201
    session = http.request("POST", uploads)
    assert session.status == 202
    chunks = iter([b"first ", b"second"])  # an iterator goes out chunked, as cosign's does
    patched = http.request("PATCH", registry.url + session.headers["Location"], body=chunks)
    assert (patched.status, patched.headers["Range"]) == (202, "0-11")
    digest = digest_of(b"first second")
    location = registry.url + patched.headers["Location"]
    assert http.request("PUT", f"{location}?digest={quote(digest)}").status == 201
    for reference, data in ((digest_of(b"one"), b"one"), (digest, b"first second")):
        url = f"{registry.url}/v2/{APP}/blobs/{reference}"
        assert http.request("GET", url).data == data
    other = http.request("POST", uploads).headers["Location"]
    refused = http.request("PUT", f"{registry.url}{other}?digest={digest}", body=b"first")
    assert refused.status == 400


def test_basic_and_bearer_challenges(registry: Registry, http: urllib3.PoolManager) -> None:
    ping, basic = f"{registry.url}/v2/", urllib3.make_headers(basic_auth="ci:secret")
    registry.faults = Faults(basic=("ci", "secret"))
    assert http.request("GET", ping).headers["WWW-Authenticate"].startswith("Basic ")
    assert http.request("GET", ping, headers=basic).status == 200
    challenge = f'Bearer realm="{registry.url}/token",service="simulator"'
    registry.faults = Faults(basic=("ci", "secret"), bearer=challenge, token="t0ken")
    refused = http.request("GET", ping, headers=basic)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, challenge)
    assert http.request("GET", f"{registry.url}/token").status == 401
    token = http.request("GET", f"{registry.url}/token?service=simulator", headers=basic).json()
    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert http.request("GET", ping, headers=bearer).status == 200


def test_a_token_is_for_one_scope(registry: Registry, http: urllib3.PoolManager) -> None:
    registry.faults = Faults(bearer="Bearer", token="t0ken")
    digest = registry.push_image(APP)
    manifest, uploads = f"/v2/{APP}/manifests/{digest}", f"/v2/{APP}/blobs/uploads/"

    def statuses(scope: str) -> list[int]:
        url = f"{registry.url}/token?scope={quote(scope)}"
        headers = {"Authorization": f"Bearer {http.request('GET', url).json()['token']}"}
        calls = (("GET", manifest), ("POST", uploads), ("GET", "/v2/"))
        return [
            http.request(method, registry.url + path, headers=headers).status
            for method, path in calls
        ]

    assert statuses(f"repository:{APP}:pull") == [200, 401, 200]
    assert statuses(f"repository:{APP}:pull,push") == [200, 202, 200]
    assert statuses("repository:shop/other:pull,push") == [401, 401, 200]
    assert statuses("") == [401, 401, 200]


def test_an_identity_token_is_exchanged_by_post(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    registry.faults = Faults(bearer="Bearer", token="t0ken", identity="me", expires_in=None)
    form = {"grant_type": "refresh_token", "client_id": "x", "refresh_token": "me"}
    url = f"{registry.url}/token"
    good = http.request_encode_body("POST", url, form, encode_multipart=False)
    assert good.json() == {"access_token": "t0ken.1"}
    for name, value in (("refresh_token", "you"), ("grant_type", "password")):
        bad = http.request_encode_body("POST", url, {**form, name: value}, encode_multipart=False)
        assert bad.status == 401
    assert http.request("GET", url).status == 401


def test_tags_can_be_lost_and_torn_and_contents_unreadable(
    registry: Registry, http: urllib3.PoolManager
) -> None:
    tag = f"{registry.url}/v2/{APP}/manifests/sha256-{'0' * 64}"
    registry.faults = Faults(lost_tags=1, torn_tags=1)
    assert http.request("PUT", tag, body=b"{}").status == 500
    assert http.request("PUT", tag, body=b"{}").status == 201
    assert http.request("GET", tag).status == 404
    assert http.request("PUT", tag, body=b"{}").status == 201
    assert http.request("GET", tag).status == 200
    registry.faults = Faults(unreadable="0000")
    assert http.request("GET", tag).status == 404
    assert http.request("HEAD", tag).status == 200


def test_bodies_can_lie_and_break_off(registry: Registry, http: urllib3.PoolManager) -> None:
    digest = registry.push_image(APP)
    url = f"{registry.url}/v2/{APP}/manifests/{digest}"
    honest = http.request("GET", url).json()
    registry.faults = Faults(lie=True)
    lied = http.request("GET", url)
    assert digest_of(lied.data) != digest
    assert lied.json() == honest
    registry.faults = Faults(truncate=True)
    with pytest.raises(urllib3.exceptions.ProtocolError, match="IncompleteRead"):
        http.request("GET", url)
    registry.faults = Faults(path_status={"/manifests/": 503})
    assert http.request("GET", url).status == 503
    assert http.request("GET", f"{registry.url}/v2/").status == 200
    registry.faults = Faults(redirect="http://cdn.invalid")
    blob = f"/v2/{APP}/blobs/{honest['config']['digest']}"
    moved = http.request("GET", registry.url + blob, redirect=False)
    assert (moved.status, moved.headers["Location"]) == (307, f"http://cdn.invalid{blob}")


@pytest.mark.parametrize("faults", [Faults(hang=True), Faults(trickle=30), Faults(latency=30)])
def test_stopping_ends_a_slow_answer_at_once(faults: Faults, http: urllib3.PoolManager) -> None:
    registry = Registry(faults=faults)
    with pytest.raises(urllib3.exceptions.TimeoutError):
        http.request("GET", f"{registry.url}/v2/", timeout=0.05)
    assert len(registry.requests) == 1
    started = time.monotonic()
    registry.stop()
    assert time.monotonic() - started < 2


@pytest.mark.cluster
@pytest.mark.parametrize("has_api", [True, False])
def test_cosign_attests_and_verifies(registry: Registry, tmp_path: Path, has_api: bool) -> None:
    registry.faults.referrers = has_api
    image = f"{registry.host}/{APP}@{registry.push_image(APP)}"
    (tmp_path / "predicate.json").write_text('{"stage":"test"}')

    def cosign(*arguments: str) -> str:
        environment = {**os.environ, "HOME": str(tmp_path), "COSIGN_PASSWORD": ""}
        command = [str(tools.binaries()["cosign"]), *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    statement = ("--type", STAGE_PASSED)
    cosign("generate-key-pair", "--output-key-prefix", "ci")
    cosign("signing-config", "create", "--out", "sc.json")
    cosign("trusted-root", "create", "--out", "tr.json")
    local = ("--yes", "--signing-config", "sc.json", "--trusted-root", "tr.json")
    cosign("attest", "--key", "ci.key", *statement, "--predicate", "predicate.json", *local, image)
    verify = ("verify-attestation", "--key", "ci.pub", *statement, "--insecure-ignore-tlog")
    assert json.loads(cosign(*verify, image))["payloadType"] == "application/vnd.in-toto+json"
