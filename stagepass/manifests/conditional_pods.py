"""
What the API server and its built-in admission write into Pods and Pod templates. Pure.

In both: `imagePullPolicy` by the image, host ports under `hostNetwork`, the old name of
`serviceAccountName`. In Pods alone: requests that equal limits; the service account `default` and its
token, mounted where every Pod has it; the priority of the class; two tolerations of 300 seconds; the
pull secrets of the service account; the node.

Not here, as their values depend on other objects of the cluster: what LimitRanger, RuntimeClass,
PodNodeSelector or a webhook write. That is for the stage's allow-list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.manifest import EACH, LISTS, Path
from stagepass.manifests import quantity
from stagepass.manifests.fields import Frame, ItemRule, MemberRule
from stagepass.objects import entries, members

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # where it is mounted
_TOKEN_NAME = re.compile(r"kube-api-access-[a-z0-9]{5}", re.ASCII)
_TOKEN_VOLUME = {
    "defaultMode": 420,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [
                    {
                        "path": "namespace",
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                    }
                ]
            }
        },
    ],
}
_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for key in ("not-ready", "unreachable")
]
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_DEFAULT_ACCOUNT = "default"
_PREEMPTION = ("PreemptLowerPriority", "Never")


def _is_exactly(value: Any, wanted: Any) -> bool:
    """Equal in every type as well: in Python, `True == 1`."""
    return value == wanted and repr(_sorted(value)) == repr(_sorted(wanted))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(each)) for key, each in value.items())
    return [_sorted(each) for each in value] if isinstance(value, list) else value


@lru_cache(maxsize=1024)
def _pull_policy(image: str | None) -> str | None:
    """`Always` for `latest`, said or meant; a digest alone means no tag."""
    try:
        found = ImageRef.parse(image or "")
    except InputError:
        return None
    meant = found.tag or ("" if found.digest else "latest")
    return "Always" if meant == "latest" else "IfNotPresent"


def _by_image(_: str, value: Any, frame: Frame) -> bool:
    return value is not None and value == _pull_policy(frame.want.get("image"))


def _by_reference(_: str, value: Any, frame: Frame) -> bool:
    return value is not None and value == _pull_policy(frame.want.get("reference"))


def _host_port(_: str, value: Any, frame: Frame) -> bool:
    """The container's own port, where it is the node's network anyway."""
    spec = frame.above(4).want
    same = type(value) is int and value == frame.want.get("containerPort")
    return spec.get("hostNetwork") is True and same


def _old_account_name(_: str, value: Any, frame: Frame) -> bool:
    """`serviceAccount` is the old name of `serviceAccountName`, whose own value is compared."""
    return isinstance(value, str) and value == frame.have.get("serviceAccountName")


def _account_name(_: str, value: Any, frame: Frame) -> bool:
    """The other way round."""
    return isinstance(value, str) and value == frame.want.get("serviceAccount")


def _account_name_of_pod(_: str, value: Any, frame: Frame) -> bool:
    return isinstance(value, str) and value == (
        frame.want.get("serviceAccount") or _DEFAULT_ACCOUNT
    )


def _only_source(_: str, value: Any, frame: Frame) -> bool:
    """A volume with nothing but a name is an empty directory."""
    return value == {} and not frame.want.keys() - {"name"}


def _requests(_: str, value: Any, frame: Frame) -> bool:
    """All of the limits, where the release requests nothing."""
    limits = members(frame.want.get("limits"))
    return isinstance(value, dict) and all(
        quantity.equal(limits.get(key), each) for key, each in value.items()
    )


def _request(name: str, value: Any, frame: Frame) -> bool:
    """The limit of a resource that has one."""
    return quantity.equal(members(frame.above(1).want.get("limits")).get(name), value)


def _priority(_: str, value: Any, frame: Frame) -> bool:
    """That of the class; 0 without one."""
    return type(value) is int and (bool(frame.want.get("priorityClassName")) or value == 0)


def _preemption(_: str, value: Any, frame: Frame) -> bool:
    """That of the class."""
    classed = bool(frame.want.get("priorityClassName"))
    return value in (_PREEMPTION if classed else _PREEMPTION[:1])


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _node_name(_: str, value: Any, frame: Frame) -> bool:
    del frame
    return _is_name(value)


def _pull_secrets(_: str, value: Any, frame: Frame) -> bool:
    """Names alone: whom the kubelet shows them to is said by the image, which is compared."""
    del frame
    return isinstance(value, list) and all(
        isinstance(each, dict) and each.keys() == {"name"} and _is_name(each["name"])
        for each in value
    )


def _is_token(volume: Mapping[str, Any]) -> bool:
    name = volume.get("name")
    return (
        isinstance(name, str)
        and _TOKEN_NAME.fullmatch(name) is not None
        and volume.keys() == {"name", "projected"}
        and _is_exactly(volume["projected"], _TOKEN_VOLUME)
    )


def _token_volume(item: Mapping[str, Any], frame: Frame) -> bool:
    """Where the release does not say `automountServiceAccountToken: false`."""
    spec = frame.above(1).want
    return spec.get("automountServiceAccountToken") is not False and _is_token(item)


def _token_mount(item: Mapping[str, Any], frame: Frame) -> bool:
    """Read-only, at its one place, and of the volume above."""
    mount = {"name": item.get("name"), "mountPath": _TOKEN_PATH, "readOnly": True}
    spec = frame.above(3)
    if spec.want.get("automountServiceAccountToken") is False or not _is_exactly(item, mount):
        return False
    volumes = [v for v in entries(spec.have.get("volumes")) if v.get("name") == item["name"]]
    return len(volumes) == 1 and _is_token(volumes[0])


def _default_toleration(item: Mapping[str, Any], frame: Frame) -> bool:
    """For a node that is not ready or cannot be reached, where the release says nothing of it."""
    return any(
        _is_exactly(item, each)
        and not any(_speaks_of(other, each) for other in entries(frame.want))
        for each in _TOLERATIONS
    )


def _speaks_of(toleration: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """As DefaultTolerationSeconds asks: no key is every key, no effect every effect."""
    key, effect = toleration.get("key") or default["key"], toleration.get("effect")
    return bool(key == default["key"]) and (effect or default["effect"]) == default["effect"]


_CONTAINERS: Mapping[Path, MemberRule] = {
    ("imagePullPolicy",): _by_image,
    ("ports", EACH, "hostPort"): _host_port,
}
_POD_CONTAINERS: Mapping[Path, MemberRule] = {
    ("resources", "requests"): _requests,
    ("resources", "requests", EACH): _request,
}
_SPEC: Mapping[Path, MemberRule] = {
    ("serviceAccount",): _old_account_name,
    ("serviceAccountName",): _account_name,
    ("volumes", EACH, "emptyDir"): _only_source,
    ("volumes", EACH, "image", "pullPolicy"): _by_reference,
}
_POD_SPEC: Mapping[Path, MemberRule] = {
    ("serviceAccountName",): _account_name_of_pod,
    ("priority",): _priority,
    ("preemptionPolicy",): _preemption,
    ("nodeName",): _node_name,
    ("imagePullSecrets",): _pull_secrets,
}


def member_rules(spec: Path, *, of_pod: bool) -> dict[Path, MemberRule]:
    """For the Pod spec at `spec`; `of_pod` where it is a Pod's own, not a template's."""
    whole = {**_SPEC, **(_POD_SPEC if of_pod else {})}
    each = {**_CONTAINERS, **(_POD_CONTAINERS if of_pod else {})}
    found = {(*spec, *path): rule for path, rule in whole.items()}
    for name in LISTS:
        found |= {(*spec, name, EACH, *path): rule for path, rule in each.items()}
    return found


def item_rules(spec: Path, *, of_pod: bool) -> dict[Path, ItemRule]:
    """Of the lists below it that admission adds items to."""
    if not of_pod:
        return {}
    found: dict[Path, ItemRule] = {
        (*spec, "volumes"): _token_volume,
        (*spec, "tolerations"): _default_toleration,
    }
    for name in LISTS[:2]:
        found[(*spec, name, EACH, "volumeMounts")] = _token_mount
    return found
