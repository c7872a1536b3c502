from __future__ import annotations

from typing import Any

import pytest

from stagepass.manifests.compare import differences
from tests.manifests.samples import REMOVED, RULE, service

IP = "10.0.0.7"


def paths(attested: Any, live: Any) -> list[str]:
    return [each.path for each in differences(attested, live, RULE)]


@pytest.mark.parametrize(
    ("said", "kept", "named"),
    [
        (
            {},
            {
                "clusterIP": IP,
                "clusterIPs": [IP],
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
            },
            [],
        ),
        ({}, {"clusterIP": "None", "clusterIPs": ["None"]}, ["spec.clusterIP"]),
        ({}, {"clusterIP": "evil"}, ["spec.clusterIP"]),
        ({}, {"clusterIP": 7}, ["spec.clusterIP"]),
        ({}, {"clusterIP": IP, "clusterIPs": ["10.0.0.8"]}, ["spec.clusterIPs"]),
        ({}, {"clusterIP": IP, "clusterIPs": 5}, ["spec.clusterIPs"]),
        ({}, {"clusterIP": IP, "clusterIPs": [IP, "evil"]}, ["spec.clusterIPs"]),
        (
            {},
            {"clusterIP": IP, "clusterIPs": [IP], "ipFamilies": ["IPv4", "IPv6"]},
            ["spec.ipFamilies"],
        ),
        ({}, {"ipFamilies": ["IPv4"], "clusterIPs": 5}, ["spec.ipFamilies", "spec.clusterIPs"]),
        ({}, {"ipFamilyPolicy": "RequireDualStack"}, ["spec.ipFamilyPolicy"]),
        ({"clusterIP": "None"}, {"clusterIPs": ["None"], "ipFamilies": ["IPv4"]}, []),
        ({"clusterIP": "None", "selector": REMOVED}, {"ipFamilyPolicy": "RequireDualStack"}, []),
        ({"clusterIP": IP}, {"clusterIP": "10.0.0.8"}, ["spec.clusterIP"]),
        (
            {},
            {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"},
            [],
        ),
        ({}, {"type": "LoadBalancer"}, ["spec.type"]),
        ({}, {"externalName": "evil.example.com"}, ["spec.externalName"]),
        ({}, {"externalIPs": ["192.0.2.1"]}, ["spec.externalIPs"]),
        ({}, {"externalTrafficPolicy": "Cluster"}, ["spec.externalTrafficPolicy"]),
        ({}, {"internalTrafficPolicy": "Local"}, ["spec.internalTrafficPolicy"]),
        ({}, {"allocateLoadBalancerNodePorts": True}, ["spec.allocateLoadBalancerNodePorts"]),
        ({}, {"publishNotReadyAddresses": True}, ["spec.publishNotReadyAddresses"]),
        (
            {},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
            ["spec.sessionAffinityConfig"],
        ),
        (
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
            [],
        ),
        (
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}},
            ["spec.sessionAffinityConfig"],
        ),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {}},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
            [],
        ),
        ({}, {"selector": {"app": "other"}}, ["spec.selector[app]"]),
        ({}, {"selector": {"app": "web", "x": "y"}}, ["spec.selector[x]"]),
        ({}, {"ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]}, []),
        (
            {},
            {"ports": [{"name": "http", "port": 80, "targetPort": 22}]},
            ["spec.ports[0].targetPort"],
        ),
        (
            {},
            {"ports": [{"name": "http", "port": 80, "targetPort": "80"}]},
            ["spec.ports[0].targetPort"],
        ),
        (
            {},
            {"ports": [{"name": "http", "port": 80, "nodePort": 30080}]},
            ["spec.ports[0].nodePort"],
        ),
        (
            {"type": "NodePort"},
            {
                "ports": [{"name": "http", "port": 80, "nodePort": 30080}],
                "externalTrafficPolicy": "Cluster",
            },
            [],
        ),
        (
            {"type": "NodePort"},
            {"ports": [{"name": "http", "port": 80, "nodePort": True}]},
            ["spec.ports[0].nodePort"],
        ),
        (
            {"type": "NodePort"},
            {"ports": [{"name": "http", "port": 80, "nodePort": 70000}]},
            ["spec.ports[0].nodePort"],
        ),
        ({"type": "NodePort"}, {"healthCheckNodePort": 30080}, ["spec.healthCheckNodePort"]),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
            {"healthCheckNodePort": 30080, "allocateLoadBalancerNodePorts": True},
            [],
        ),
        ({"type": "ExternalName"}, {"clusterIP": IP}, ["spec.clusterIP"]),
    ],
)
def test_a_service(said: dict[str, Any], kept: dict[str, Any], named: list[str]) -> None:
    attested = service(**said)
    attested["spec"] = {k: v for k, v in attested["spec"].items() if v is not REMOVED}
    live = {**attested, "spec": {**attested["spec"], **kept}}

    assert sorted(paths(attested, live)) == sorted(named)
