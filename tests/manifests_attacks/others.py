"""Objects that run nothing themselves: what they open, select, hold or grant, changed."""

from __future__ import annotations

from typing import Any

from tests.manifests.samples import REMOVED
from tests.manifests_attacks.objects import NEXT
from tests.manifests_attacks.row import (
    ADMITTED,
    Verb,
    change,
)

_SERVICE = ("Service", "web")
_POLICY = ("NetworkPolicy", "walled")
_ROLE, _BINDING = ("Role", "reader"), ("RoleBinding", "reader")
_BACKEND = "spec.rules[0].http.paths[0].backend.service"
_CLASS_IS_OPEN = (
    "which class a claim without one gets is the cluster's answer: name it in the release"
)
GRANTED = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}
_ANYWHERE = "http://evil.example"
_ANNOTATIONS = "metadata.annotations"
CHANGES: tuple[tuple[tuple[str, str], str, str, Any], ...] = (
    (_SERVICE, "selector moved to another release's Pods", "spec.selector", {"app": "other"}),
    (_SERVICE, "selector widened", "spec.selector", {}),
    (_SERVICE, "selector narrowed", "spec.selector.tier", "evil"),
    (_SERVICE, "selector taken out", "spec.selector", REMOVED),
    (_SERVICE, "external IPs", "spec.externalIPs", ["203.0.113.1"]),
    (_SERVICE, "external name", "spec", {"type": "ExternalName", "externalName": "evil.example"}),
    (_SERVICE, "to the world", "spec.type", "LoadBalancer"),
    (_SERVICE, "to every node", "spec.type", "NodePort"),
    (_SERVICE, "target port", "spec.ports[0].targetPort", 9090),
    (_SERVICE, "port added", "spec.ports[+]", {"name": "debug", "port": 6060}),
    (_SERVICE, "unready Pods as well", "spec.publishNotReadyAddresses", True),
    (_SERVICE, "headless", "spec.clusterIP", "None"),
    (
        _SERVICE,
        "annotation that a load balancer reads",
        f"{_ANNOTATIONS}[service.beta.kubernetes.io/aws-load-balancer-internal]",
        "false",
    ),
    (("ConfigMap", "settings"), "swapped for another", "data", {"colour": "red", "url": _ANYWHERE}),
    (("ConfigMap", "settings"), "value", "data.url", _ANYWHERE),
    (("ConfigMap", "settings"), "key added", "data.extra", "x"),
    (("ConfigMap", "settings"), "key taken out", "data.colour", REMOVED),
    (("ConfigMap", "settings"), "bytes added", "binaryData", {"lib.so": "AAEC"}),
    (("ConfigMap", "settings"), "frozen", "immutable", True),
    (("ConfigMap", "settings"), "our own label", "metadata.labels[stagepass.dev/admitted]", "yes"),
    (("Secret", "password"), "content swapped", "data.password", "ZXZpbA=="),
    (("Secret", "password"), "content emptied", "data.password", ""),
    (("Secret", "password"), "the salted digest in its place", "data.password", "JHNhbHRlZA=="),
    (("Secret", "password"), "key added", "data.extra", "eA=="),
    (("Secret", "password"), "type", "type", "example.com/other"),
    (_BINDING, "widened to a user", "subjects[+]", GRANTED),
    (_BINDING, "given to another account", "subjects[0].name", "evil"),
    (_BINDING, "of another namespace's account", "subjects[0].namespace", "evil"),
    (_BINDING, "of a stronger role", "roleRef.name", "admin"),
    (_BINDING, "of a cluster role", "roleRef.kind", "ClusterRole"),
    (_ROLE, "verbs widened", "rules[0].verbs", ["*"]),
    (_ROLE, "verb added", "rules[0].verbs[+]", "update"),
    (_ROLE, "of any name", "rules[0].resourceNames", REMOVED),
    (_ROLE, "of no name, which is any", "rules[0].resourceNames", []),
    (_ROLE, "Secrets", "rules[0].resources", ["secrets"]),
    (_ROLE, "rule added", "rules[+]", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
    (("Ingress", "web"), "backend", f"{_BACKEND}.name", "other"),
    (("Ingress", "web"), "port", f"{_BACKEND}.port", {"number": 6060}),
    (("Ingress", "web"), "host", "spec.rules[0].host", "evil.example"),
    (("Ingress", "web"), "any host", "spec.rules[0].host", REMOVED),
    (
        ("Ingress", "web"),
        "default backend",
        "spec.defaultBackend",
        {"service": {"name": "other", "port": {"number": 80}}},
    ),
    (("Ingress", "web"), "class", "spec.ingressClassName", "evil"),
    (
        ("Ingress", "web"),
        "snippet of a controller",
        f"{_ANNOTATIONS}[nginx.ingress.kubernetes.io/server-snippet]",
        "return 200;",
    ),
    (_POLICY, "from anywhere", "spec.ingress", [{}]),
    (_POLICY, "from anywhere, by an empty list", "spec.ingress[0].from", []),
    (_POLICY, "from every namespace", "spec.ingress[0].from[0].namespaceSelector", {}),
    (_POLICY, "from every Pod", "spec.ingress[0].from[0].podSelector", {}),
    (_POLICY, "from the internet", "spec.ingress[0].from[+]", {"ipBlock": {"cidr": "0.0.0.0/0"}}),
    (_POLICY, "for other Pods", "spec.podSelector", {"matchLabels": {"app": "none"}}),
    (_POLICY, "outgoing traffic opened", "spec.egress", [{}]),
    (_POLICY, "outgoing traffic left out", "spec.policyTypes", ["Ingress"]),
    (_POLICY, "types left to the API server", "spec.policyTypes", REMOVED),
    (("HorizontalPodAutoscaler", "web"), "aimed at another", "spec.scaleTargetRef.name", "other"),
    (("HorizontalPodAutoscaler", "web"), "size", "spec.maxReplicas", 3000),
    (("HorizontalPodAutoscaler", "web"), "floor", "spec.minReplicas", 3),
    (("PodDisruptionBudget", "web"), "none needed", "spec.minAvailable", 0),
    (("PodDisruptionBudget", "web"), "other Pods", "spec.selector.matchLabels.app", "other"),
    (("PodDisruptionBudget", "web"), "all Pods", "spec.selector", {}),
    (("PersistentVolumeClaim", "fast"), "of another storage", "spec.storageClassName", "evil"),
    (
        ("PersistentVolumeClaim", "files"),
        "from another's data",
        "spec.dataSource",
        {"kind": "PersistentVolumeClaim", "name": "db"},
    ),
    (("PersistentVolumeClaim", "files"), "size", "spec.resources.requests.storage", "1Ti"),
    (("PersistentVolumeClaim", "files"), "shared", "spec.accessModes", ["ReadWriteMany"]),
    (("PersistentVolumeClaim", "files"), "as a block device", "spec.volumeMode", "Block"),
    (("CronJob", "report"), "schedule", "spec.schedule", "* * * * *"),
    (("CronJob", "report"), "suspended", "spec.suspend", True),
    (("CronJob", "report"), "all at once", "spec.concurrencyPolicy", "Replace"),
    (("CronJob", "report"), "time zone", "spec.timeZone", "Asia/Tokyo"),
    (("Job", "migrate"), "parallelism", "spec.parallelism", 1000),
    (("Job", "migrate"), "completions", "spec.completions", 1000),
    (("Job", "migrate"), "again and again", "spec.backoffLimit", 1000),
    (("Job", "migrate"), "a selector of its own", "spec.manualSelector", True),
    (("Deployment", "web"), "paused", "spec.paused", True),
    (("Deployment", "web"), "all at once", "spec.strategy", {"type": "Recreate"}),
    (
        ("Deployment", "web"),
        "an image of release B",
        "spec.template.spec.containers[1].image",
        NEXT,
    ),
    (
        ("Deployment", "web"),
        "the command of release B",
        "spec.template.spec.containers[0].command",
        ["/web", "next"],
    ),
    (
        ("Deployment", "web"),
        "the image of release B, our command",
        "spec.template.spec.containers[0].image",
        NEXT,
    ),
    (
        ("Deployment", "web"),
        "beside an allowed pointer",
        "spec.template.metadata.annotations[rolled-by]",
        "x",
    ),
    (("Deployment", "web"), "below an allowed pointer's neighbour", "spec.revisionHistoryLimit", 0),
    (("StatefulSet", "db"), "an allowed pointer of another kind", "spec.replicas", 9),
    (
        ("StatefulSet", "db"),
        "a claim of another storage",
        "spec.volumeClaimTemplates[0].spec.storageClassName",
        "evil",
    ),
    (
        ("StatefulSet", "db"),
        "claims dropped with it",
        "spec.persistentVolumeClaimRetentionPolicy",
        {"whenDeleted": "Delete", "whenScaled": "Retain"},
    ),
    (("StatefulSet", "db"), "updates held back", "spec.updateStrategy", {"type": "OnDelete"}),
    (("DaemonSet", "agent"), "updates held back", "spec.updateStrategy", {"type": "OnDelete"}),
    (("Service", "web"), "a member nobody knows", "spec.evil", "x"),
    (("Deployment", "web"), "a member nobody knows", "spec.template.spec.evil", "x"),
)
# What the API server does not know it drops before it asks anybody.
_AT_API = {"a member nobody knows": ADMITTED}


_VOLUME = (
    "PersistentVolumeClaim",
    "files",
    "of a volume of its choice",
    "spec.volumeName",
    "pv-of-another",
)
KNOWN = (
    change(*_VOLUME, verbs=(Verb.CREATE,)),
    change(
        *_VOLUME,
        verbs=(Verb.UPDATE,),
        expected=ADMITTED,
        why="so the binder binds it, and who sends it proves nothing: RBAC",
    ),
    change(
        *("ReplicaSet", "pool", "replicas", "spec.replicas", 9),
        verbs=(Verb.UPDATE,),
        expected=ADMITTED,
        why="so a roll-out sizes it; as does the subresource scale, of which nobody is asked",
    ),
    change(
        *("PersistentVolumeClaim", "files", "of a class of its choice"),
        *("spec.storageClassName", "evil"),
        expected=ADMITTED,
        why=_CLASS_IS_OPEN,
    ),
    change(
        *("Deployment", "web", "replicas, which the allow-list opens", "spec.replicas", 9),
        expected=ADMITTED,
        why="the stage says that it is autoscaled",
    ),
)
ROWS = (
    *(
        change(*base, what, path, value, at_api=_AT_API.get(what, ""))
        for base, what, path, value in CHANGES
    ),
    *KNOWN,
)
