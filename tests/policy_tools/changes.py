"""Every single change of the full set, what is said of it, and its effect."""

from __future__ import annotations

from typing import Any

from tests.world import DROP

STAGE = "pipeline.stages.2"
EDGE = f"{STAGE}.after.0"
NEED = f"{STAGE}.requires.0.attestation"
APPROVAL = f"{STAGE}.requires.1.approval"
GLASS = f"{STAGE}.breakGlass"
SOURCE = f"{STAGE}.source"
IN_SOURCE = "pipeline shop: production, source"
_GIT = "https://git.example.com/shop/deploy.git"
_WHERE = f"apps/production of {_GIT}"
IN_STAGE = "pipeline shop: production"
STRANGER = {"file": "keys/stranger.pub", "owner": "stranger"}
SIGNED_OFF = {"name": "signed off", "from": ["scanner"], "predicateType": "x"}
NEW_STAGE = {"name": "qa", "clusters": ["qa"], "namespaces": ["shop"], "after": ["test"]}
NIGHT = {"deny": "22:00 - 06:00", "timezone": "UTC"}
EXEMPT = "exemption of registry.k8s.io/** in kube-system"

RELEASE = f"{STAGE}.release"
IN_RELEASE = "pipeline shop: production, release"
SERVICE_PORT = {"kinds": ["ConfigMap"], "pointer": "/data/ca.crt", "reason": "injected"}

Line = tuple[str, str, str]
TABLE: list[tuple[dict[str, Any], list[Line]]] = [
    ({f"{EDGE}.soak": "48h"}, [("stricter", f"{IN_STAGE} after staging", "soak is 2d, was 1d")]),
    ({f"{EDGE}.soak": DROP}, [("looser", f"{IN_STAGE} after staging", "soak is none, was 1d")]),
    (
        {f"{EDGE}.maxAge": "7d"},
        [("stricter", f"{IN_STAGE} after staging", "maxAge is 7d, was 30d")],
    ),
    (
        {f"{EDGE}.maxAge": DROP},
        [("looser", f"{IN_STAGE} after staging", "maxAge is none, was 30d")],
    ),
    (
        {f"{EDGE}.clusters": "any"},
        [("looser", f"{IN_STAGE} after staging", "clusters is any, was all")],
    ),
    ({f"{STAGE}.after.1": "test"}, [("stricter", IN_STAGE, "comes after 'test'")]),
    ({f"{STAGE}.after": DROP}, [("looser", IN_STAGE, "no longer comes after 'staging'")]),
    (
        {f"{STAGE}.manifests": "warn"},
        [("looser", IN_STAGE, "manifests is warn, was required")],
    ),
    (
        {"pipeline.stages.1.manifests": "required"},
        [("stricter", "pipeline shop: staging", "manifests is required, was warn")],
    ),
    (
        {"pipeline.stages.1.manifests": "off"},
        [("changed", "pipeline shop: staging", "manifests is off, was warn")],
    ),
    (
        {f"{STAGE}.manifests": "off", RELEASE: DROP},
        [
            ("looser", IN_STAGE, "manifests is off, was required"),
            ("looser", IN_STAGE, "release is none, was by ci"),
        ],
    ),
    (
        {f"{RELEASE}.from": ["ci", "scanner"]},
        [("looser", IN_RELEASE, "from is ci, scanner; was ci")],
    ),
    (
        {f"{RELEASE}.repository": DROP},
        [("changed", IN_RELEASE, "repository is none, was registry.example.com/shop/releases")],
    ),
    (
        {f"{RELEASE}.kinds": ["apps/Deployment", "ConfigMap", "Secret"]},
        [("stricter", IN_RELEASE, "kinds: Secret is added")],
    ),
    (
        {f"{RELEASE}.kinds": ["apps/Deployment"]},
        [("looser", IN_RELEASE, "kinds: ConfigMap is gone")],
    ),
    (
        {f"{RELEASE}.secrets": "salted"},
        [("looser", IN_RELEASE, "secrets is salted, was refused")],
    ),
    (
        {f"{RELEASE}.allow.2": SERVICE_PORT},
        [("looser", IN_RELEASE, "allow: /data/ca.crt of ConfigMap is added")],
    ),
    (
        {f"{RELEASE}.allow.0.reason": "by the autoscaler"},
        [("changed", IN_RELEASE, "allow.reason is by the autoscaler, was scaled")],
    ),
    (
        {f"{RELEASE}.allow": DROP},
        [
            ("stricter", IN_RELEASE, "allow: /spec/replicas of apps/Deployment is gone"),
            ("stricter", IN_RELEASE, f"allow: mesh.example.com/proxy@sha256:{'1' * 64} is gone"),
        ],
    ),
    (
        {f"{NEED}.from": ["scanner", "ci"]},
        [
            (
                "looser",
                f"{IN_STAGE}, attestation vulnerabilities",
                "from is scanner, ci; was scanner",
            )
        ],
    ),
    (
        {f"{NEED}.from": ["ci"]},
        [
            (
                "changed",
                f"{IN_STAGE}, attestation vulnerabilities",
                "from is ci; was scanner",
            )
        ],
    ),
    (
        {f"{NEED}.predicateType": "x"},
        [
            (
                "changed",
                f"{IN_STAGE}, attestation vulnerabilities",
                "predicateType is x, was https://cosign.sigstore.dev/attestation/vuln/v1",
            )
        ],
    ),
    (
        {f"{NEED}.where": DROP},
        [
            (
                "looser",
                f"{IN_STAGE}, attestation vulnerabilities",
                "where is none, was size(predicate.critical) == 0",
            )
        ],
    ),
    (
        {f"{NEED}.where": "true"},
        [
            (
                "changed",
                f"{IN_STAGE}, attestation vulnerabilities",
                "where is true, was size(predicate.critical) == 0",
            )
        ],
    ),
    (
        {f"{NEED}.maxAge": DROP, f"{NEED}.time": DROP},
        [
            ("looser", f"{IN_STAGE}, attestation vulnerabilities", "maxAge is none, was 7d"),
            (
                "looser",
                f"{IN_STAGE}, attestation vulnerabilities",
                "time is none, was predicate.scanned",
            ),
        ],
    ),
    (
        {f"{STAGE}.requires.2": {"attestation": SIGNED_OFF}},
        [("stricter", IN_STAGE, "an attestation 'signed off' by scanner is asked for")],
    ),
    (
        {f"{STAGE}.requires.0": DROP},
        [("looser", IN_STAGE, "the attestation 'vulnerabilities' is no longer asked for")],
    ),
    (
        {f"{APPROVAL}.threshold": 1},
        [("looser", f"{IN_STAGE}, approval", "threshold is 1, was 2")],
    ),
    (
        {f"{APPROVAL}.from": ["managers", "commanders"]},
        [("looser", f"{IN_STAGE}, approval", "from is managers, commanders; was managers")],
    ),
    (
        {f"{APPROVAL}.notBy": ["ci", "scanner"]},
        [("stricter", f"{IN_STAGE}, approval", "notBy is ci, scanner; was ci")],
    ),
    ({f"{APPROVAL}.notBy": DROP}, [("looser", f"{IN_STAGE}, approval", "notBy is nobody; was ci")]),
    (
        {f"{APPROVAL}.maxAge": "5d"},
        [("stricter", f"{IN_STAGE}, approval", "maxAge is 5d, was 10d")],
    ),
    (
        {f"{STAGE}.requires.1": DROP},
        [("looser", IN_STAGE, "approvals by 2 of managers are no longer asked for")],
    ),
    (
        {f"{STAGE}.requires.2": {"approval": {"from": ["commanders"]}}},
        [("stricter", IN_STAGE, "approvals by 1 of commanders are asked for")],
    ),
    (
        {f"{STAGE}.windows.1": NIGHT},
        [("stricter", IN_STAGE, "windows: 22:00 - 06:00 UTC is added")],
    ),
    (
        {f"{STAGE}.windows": DROP},
        [("looser", IN_STAGE, "windows: Fri 16:00 - Mon 08:00 Europe/Berlin is gone")],
    ),
    (
        {f"{STAGE}.windows.0.timezone": "UTC"},
        [
            ("looser", IN_STAGE, "windows: Fri 16:00 - Mon 08:00 Europe/Berlin is gone"),
            ("stricter", IN_STAGE, "windows: Fri 16:00 - Mon 08:00 UTC is added"),
        ],
    ),
    ({f"{GLASS}.threshold": 2}, [("stricter", f"{IN_STAGE}, breakGlass", "threshold is 2, was 1")]),
    (
        {f"{GLASS}.maxDuration": "8h"},
        [("looser", f"{IN_STAGE}, breakGlass", "maxDuration is 8h, was 4h")],
    ),
    (
        {f"{GLASS}.from": ["commanders", "scanner"]},
        [
            (
                "looser",
                f"{IN_STAGE}, breakGlass",
                "from is commanders, scanner; was commanders",
            )
        ],
    ),
    ({GLASS: DROP}, [("stricter", IN_STAGE, "the glass can no longer be broken")]),
    (
        {"pipeline.stages.1.breakGlass": {"from": ["commanders"], "maxDuration": "1h"}},
        [("looser", "pipeline shop: staging", "the glass can be broken, by commanders")],
    ),
    ({SOURCE: DROP}, [("changed", IN_STAGE, f"the applier no longer applies {_WHERE}")]),
    (
        {f"{SOURCE}.git": "ssh://git@a/b"},
        [("changed", IN_SOURCE, f"git is ssh://git@a/b, was {_GIT}")],
    ),
    (
        {f"{SOURCE}.ref": {"tag": "v2"}},
        [("changed", IN_SOURCE, "ref is refs/tags/v2, was refs/heads/main")],
    ),
    (
        {f"{SOURCE}.path": "apps/other"},
        [("changed", IN_SOURCE, "path is apps/other, was apps/production")],
    ),
    ({f"{SOURCE}.root": "."}, [("changed", IN_SOURCE, "root is none, was apps")]),
    (
        {f"{SOURCE}.serviceAccount.name": "admin"},
        [("changed", IN_SOURCE, "serviceAccount is shop/admin, was shop/deployer")],
    ),
    (
        {f"{SOURCE}.commitSigners": DROP},
        [
            ("changed", IN_SOURCE, "commitSigners.gpg is none, was 1 lines"),
            ("changed", IN_SOURCE, "commitSigners.ssh is none, was 1 lines"),
        ],
    ),
    (
        {f"{SOURCE}.heartbeat": DROP},
        [("looser", IN_SOURCE, "heartbeat is none, was refs/heads/heartbeat")],
    ),
    (
        {f"{SOURCE}.heartbeat.maxAge": "2d"},
        [("looser", IN_SOURCE, "heartbeat.maxAge is 2d, was 12h")],
    ),
    (
        {f"{SOURCE}.heartbeat.ref": "beat"},
        [("changed", IN_SOURCE, "heartbeat.ref is refs/heads/beat, was refs/heads/heartbeat")],
    ),
    (
        {f"{SOURCE}.heartbeat.signers": DROP},
        [
            ("changed", IN_SOURCE, "heartbeat.signers.gpg is none, was 1 lines"),
            ("changed", IN_SOURCE, "heartbeat.signers.ssh is none, was 1 lines"),
        ],
    ),
    ({f"{SOURCE}.sandbox": "none"}, [("looser", IN_SOURCE, "sandbox is none, was required")]),
    (
        {f"{SOURCE}.apply": "what-can-be"},
        [("looser", IN_SOURCE, "apply is what-can-be, was all-or-nothing")],
    ),
    ({f"{STAGE}.enforcement": "warn"}, [("looser", IN_STAGE, "enforcement is warn, was enforce")]),
    (
        {f"{STAGE}.signedBy": ["prod-clusters", "scanner"]},
        [("looser", IN_STAGE, "signedBy is prod-clusters, scanner; was prod-clusters")],
    ),
    (
        {f"{STAGE}.signedBy": DROP},
        [("stricter", IN_STAGE, "signedBy is nobody; was prod-clusters")],
    ),
    (
        {f"{STAGE}.namespaces": ["shop"]},
        [("stricter", IN_STAGE, "namespaces: shop-* is gone")],
    ),
    (
        {f"{STAGE}.clusters.2": "prod-asia"},
        [("looser", IN_STAGE, "clusters: prod-asia is added")],
    ),
    (
        {"pipeline.stages.1.clusters.1": "staging-2"},
        [("changed", "pipeline shop: staging", "clusters: staging-2 is added")],
    ),
    (
        {"pipeline.stages.0.clusters": ["test"]},
        [("looser", "pipeline shop: test", "the uid of test is none, was 6f1c")],
    ),
    (
        {"pipeline.stages.0.clusters.0.uid": "7a2d"},
        [("changed", "pipeline shop: test", "the uid of test is 7a2d, was 6f1c")],
    ),
    (
        {f"{STAGE}.clusters.0": {"name": "prod-eu", "uid": "9"}},
        [("stricter", IN_STAGE, "the uid of prod-eu is 9, was none")],
    ),
    (
        {"pipeline.stages.0.allowShared": DROP},
        [("changed", "pipeline shop: test", "allowShared is none, was nothing is shared")],
    ),
    (
        {"pipeline.stages.3": NEW_STAGE},
        [("looser", "pipeline shop: qa", "is a new stage, in qa (shop)")],
    ),
    (
        {STAGE: DROP},
        [("stricter", IN_STAGE, "is no longer a stage, in prod-eu, prod-us (shop, shop-*)")],
    ),
    (
        {"pipeline.images.1": "registry.example.com/cart"},
        [("looser", "pipeline shop", "images: registry.example.com/cart is added")],
    ),
    (
        {"pipeline.metadata.name": "store"},
        [
            ("stricter", "pipeline shop", "is gone, with registry.example.com/shop/**"),
            ("looser", "pipeline store", "is new, for registry.example.com/shop/**"),
        ],
    ),
    (
        {"baseline.images": ["**"]},
        [("stricter", "baseline built", "images: all, was registry.example.com/**")],
    ),
    (
        {"baseline.namespaces": ["shop"]},
        [
            ("looser", "baseline built", "namespaces: * is gone"),
            ("stricter", "baseline built", "namespaces: shop is added"),
        ],
    ),
    (
        {"baseline.clusters": ["test", "staging", "prod-us"]},
        [("looser", "baseline built", "clusters: prod-eu is gone")],
    ),
    (
        {"baseline.clusters": DROP},
        [("stricter", "baseline built", "clusters: all, was prod-eu, prod-us, staging, test")],
    ),
    (
        {"baseline.requires.1": {"attestation": SIGNED_OFF}},
        [("stricter", "baseline built", "an attestation 'signed off' by scanner is asked for")],
    ),
    (
        {"baseline.metadata.name": "floor"},
        [("looser", "baseline built", "is gone"), ("stricter", "baseline floor", "is new")],
    ),
    (
        {"defaults.csiDrivers.1": "image.csi.example"},
        [("looser", "set", "csiDrivers: image.csi.example is added")],
    ),
    (
        {"defaults.csiDrivers": DROP},
        [("stricter", "set", "csiDrivers: secrets-store.csi.k8s.io is gone")],
    ),
    ({"defaults.unlisted": "audit"}, [("looser", "set", "unlisted is audit, was deny")]),
    (
        {"defaults.exempt": DROP},
        [("stricter", EXEMPT, "is gone: control plane")],
    ),
    (
        {"defaults.exempt.0.allowTags": False},
        [("stricter", EXEMPT, "allowTags is false, was true")],
    ),
    (
        {"defaults.exempt.0.expires": "2028-01-01T00:00:00Z"},
        [("looser", EXEMPT, "expires is 2028-01-01T00:00:00Z, was 2027-01-01T00:00:00Z")],
    ),
    (
        {"defaults.exempt.0.reason": "because"},
        [("changed", EXEMPT, "reason is because, was control plane")],
    ),
    (
        {"defaults.exempt.0.namespaces": ["kube-system", "monitoring"]},
        [
            (
                "looser",
                "exemption of registry.k8s.io/** in kube-system, monitoring",
                "is new: control plane",
            ),
            ("stricter", EXEMPT, "is gone: control plane"),
        ],
    ),
]
