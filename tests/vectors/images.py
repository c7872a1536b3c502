"""Section A of the catalogue: which image runs."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.simulators.registry import INDEX_TYPE, MANIFEST_TYPE
from tests.vectors import apiserver
from tests.vectors.bench import Bench, passes
from tests.vectors.row import Row, images, objects, registry
from tests.webhook.reviews import Json, pod_spec, review, update, workload

INVALID, MISSING = "denied IMAGE_INVALID", "denied PASS_MISSING"
TAG, UNLISTED, ADMITTED = "denied DIGEST_REQUIRED", "denied UNLISTED", "admitted"
_SHOP = "registry.example.com/shop/web"
_HEX = "ab" * 32


def _init(**more: Any) -> Any:
    return lambda b: b.created(
        b.passed(), initContainers=[{"name": "i", "image": b.image(), **more}]
    )


def _ephemeral(bench: Bench) -> Json:
    old = bench.pod(bench.passed())
    new = json.loads(json.dumps(old))
    new["spec"]["ephemeralContainers"] = [{"name": "debug", "image": bench.image()}]
    return update(old, new, subResource="ephemeralcontainers")


def _volume(reference: str) -> Any:
    def build(bench: Bench) -> Json:
        volumes = [{"name": "data", "image": {"reference": bench.filled(reference)}}]
        return bench.created(bench.passed(), volumes=volumes)

    return build


def _csi(driver: str, **attributes: str) -> Any:
    csi = {"driver": driver, "volumeAttributes": attributes}
    return lambda b: b.created(b.passed(), volumes=[{"name": "data", "csi": csi}])


def _container_disk(bench: Bench) -> Json:
    volume = {"name": "root", "containerDisk": {"image": f"{_SHOP}:1.2"}}
    return bench.created(bench.passed(), volumes=[volume])


def _annotated(name: str) -> Any:
    metadata = {"annotations": {name: f"{_SHOP}:1.2"}}
    return lambda b: b.created(b.passed(), metadata=metadata)


def _restored(bench: Bench) -> Json:
    return bench.created(bench.passed(), restoreFrom="checkpoint-1")


def _restored_later(bench: Bench) -> Json:
    """An update that changes nothing else."""
    old = bench.pod(bench.image())
    return update(old, {**old, "spec": {**old["spec"], "restoreFrom": "checkpoint-1"}})


def _index(attested: str, used: str) -> Any:
    """Evidence on one of an index and its child, a Pod of the other."""

    def build(bench: Bench) -> Json:
        repository = "shop/web"
        child = bench.registry.push_image(repository, secrets.token_bytes(8))
        body = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [{"digest": child}]}
        data = json.dumps(body).encode()
        index = bench.registry.put_manifest(repository, data, media_type=INDEX_TYPE)
        name = {"index": index, "child": child}
        subject = f"{bench.registry.host}/{repository}@{name[attested]}"
        for bundle in passes(subject):
            bench.registry.attach(repository, name[attested], bundle)
        return bench.create(f"{bench.registry.host}/{repository}@{name[used]}")

    return build


def _listing(**members: Any) -> Any:
    """An image whose evidence tag leads to its bundles, in a document with these members besides."""

    def build(bench: Bench) -> Json:
        image = bench.pushed()
        _, _, digest = image.partition("@")
        found = [
            bench.registry.attach("shop/web", digest, bundle, as_tag=True)
            for bundle in passes(image)
        ]
        entries = [{"mediaType": MANIFEST_TYPE, "size": 1, "digest": each} for each in found]
        body = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries, **members}
        tag, data = digest.replace(":", "-"), json.dumps(body).encode()
        bench.registry.put_manifest("shop/web", data, media_type=INDEX_TYPE, tag=tag)
        return bench.create(image)

    return build


def _empty(kind: str) -> Any:
    return lambda _: review(workload(pod_spec(""), kind))


_NGINX = ("nginx", "library/nginx", "docker.io/nginx", "index.docker.io/library/nginx")
_LONG = "/".join(["x" * 60] * 5)

ROWS = (
    Row("B01", "mutable tag", images(TAG, f"{_SHOP}:1.2", _SHOP)),
    Row("B02", "unattested digest", images(MISSING, f"{_SHOP}@{{U}}")),
    Row(
        "B03",
        "init container, also as a sidecar",
        objects(MISSING, plain=_init(), sidecar=_init(restartPolicy="Always")),
    ),
    Row("B04", "ephemeral container", (*objects(MISSING, update=_ephemeral), apiserver.EPHEMERAL)),
    Row(
        "B05",
        "image volume",
        (
            *objects(MISSING, digest=_volume(f"{_SHOP}@{{U}}")),
            *objects(TAG, tag=_volume(f"{_SHOP}:1")),
        ),
    ),
    Row(
        "B06",
        "image by a CSI driver, a KubeVirt disk, an annotation of a runtime",
        objects(
            INVALID,
            csi=_csi("image.csi.example", image=f"{_SHOP}:1.2"),
            csi_by_another_name=_csi("model.csi.example", **{"csi.example/reference": "x:1"}),
            containerDisk=_container_disk,
            **{
                name: _annotated(name)
                for name in (
                    "io.kubernetes.cri.image-name",
                    "io.kubernetes.cri-o.ImageName",
                    "io.katacontainers.config.hypervisor.image",
                )
            },
        )
        + objects(
            ADMITTED,
            csi_that_names_none=_csi("secrets.csi.example", secretProviderClass="web"),
            csi_driver_that_the_policy_names=_csi("disk.csi.example", image="golden"),
        ),
        "a KubeVirt machine itself is judged where `kind: CustomResources` names its images",
    ),
    Row(
        "B07",
        "restore of a checkpoint",
        (
            *objects(
                INVALID,
                restoreFrom=_restored,
                annotation=_annotated("io.kubernetes.cri-o.annotations.checkpoint.name"),
            ),
            *objects(f"{INVALID} PASS_MISSING", restoreFrom_added=_restored_later),
            apiserver.RESTORED,
        ),
        "an API server without the alpha feature drops the field, and there is nothing to deny",
    ),
    Row(
        "B08",
        "tag and digest together",
        (*images(MISSING, f"{_SHOP}:good@{{U}}"), *images(ADMITTED, f"{_SHOP}:bad@{{D}}")),
    ),
    Row(
        "B09",
        "another digest algorithm",
        images(
            INVALID,
            *(
                f"{_SHOP}@{n}:{_HEX[:d]}{'0' * (d - 64)}"
                for n, d in (("sha512", 128), ("sha384", 96))
            ),
            f"{_SHOP}@md5:{_HEX[:32]}",
            f"{_SHOP}@sha3-256:{_HEX}",
        ),
    ),
    Row(
        "B10",
        "malformed digest",
        (
            *images(
                INVALID,
                f"{_SHOP}@sha256:{_HEX.upper()}",
                f"{_SHOP}@sha256:{_HEX[1:]}",
                f"{_SHOP}@sha256:{_HEX}0",
                f"{_SHOP}@sha256:",
                f"{_SHOP}@{{D}}@{{D}}",
                f"{_SHOP}@",
                f"@sha256:{_HEX}",
                _HEX,
            ),
            *images(UNLISTED, "{D}"),
        ),
        "sha256:HEX alone is, to a runtime, the tag HEX of docker.io/library/sha256",
    ),
    Row(
        "B11",
        "evidence on an index, Pod of its child, and the reverse",
        registry(
            MISSING,
            child_of_an_attested_index=_index("index", "child"),
            index_of_an_attested_child=_index("child", "index"),
        ),
        "allowIndexChildren does not exist: always denied",
    ),
    Row(
        "B12",
        "index and manifest in one",
        registry(
            "undetermined PASS_MISSING REGISTRY_UNAVAILABLE",
            both_index_and_manifest=_listing(layers=[]),
            manifests_that_are_no_list=_listing(manifests={}),
        )
        + registry(MISSING, no_children=_listing(manifests=[]))
        + registry(ADMITTED, the_index_alone=_listing()),
        "of an image no manifest is read, only of its evidence",
    ),
    Row(
        "B13",
        "docker.io left out",
        (
            *images(ADMITTED, *(f"{name}@{{D}}" for name in _NGINX)),
            *images(MISSING, *(f"{name}@{{U}}" for name in _NGINX)),
        ),
    ),
    Row(
        "B14",
        "host tricks",
        (
            *images(
                UNLISTED,
                "registry.example.com:443/shop/web@{D}",
                "REGISTRY.example.com/shop/web@{D}",
                "evil.io/registry.example.com/shop/web@{D}",
                "registry.example.com.evil.io/shop/web@{D}",
                "localhost/shop/web@{D}",
                "localhost:5000/shop/web@{D}",
                "[::1]:5000/shop/web@{D}",
                "registry.example.com:5000@{D}",
            ),
            *images(
                INVALID,
                "registry.example.com./shop/web@{D}",
                "registry.example.com@evil.io/shop/web@{D}",
                "https://registry.example.com/shop/web@{D}",
                "user:pw@registry.example.com/shop/web",
            ),
        ),
    ),
    Row(
        "B15",
        "characters",
        images(
            INVALID,
            *(f"{c}{_SHOP}@{{D}}" for c in (" ", "\n", "\t", "\x1b[2J", "\u200d")),
            *(f"{_SHOP}@{{D}}{c}" for c in (" ", "\n", "\u200b", "?x", "#x")),
            *(
                f"registry.example.com/shop/{part}@{{D}}"
                for part in ("we\u200db", "%2f", "../x", ".", "", "/web", "a?b", "a#b", "WEB")
            ),
            "registry.ex\u0430mple.com/shop/web@{D}",
            f"registry.example.com/{_LONG}@{{D}}",
            f"{_SHOP}:{'t' * 129}@{{D}}",
            f"{_SHOP}\x00@{{D}}",
            f"{_SHOP}@{{D}}\x00",
        ),
    ),
    Row(
        "B16",
        "empty image in a template",
        objects(INVALID, **{kind: _empty(kind) for kind in ("Deployment", "Job", "Pod")}),
    ),
)
