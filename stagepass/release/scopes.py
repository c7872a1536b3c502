"""
Which built-in kinds have no namespace.

Every other built-in kind has one: an object of it has to say which, because whoever renders knows and
the gate compares by exact identity. The list is that of a Kubernetes API server (v1.37) with all of its
APIs served, and a test asks a real one; a kind that is missing here cannot be part of a release.
"""

from __future__ import annotations

_ADMISSION, _AUTHORIZATION = "admissionregistration.k8s.io", "authorization.k8s.io"

CLUSTER_SCOPED: frozenset[tuple[str, str]] = frozenset(
    {
        *(("", kind) for kind in ("ComponentStatus", "Namespace", "Node", "PersistentVolume")),
        *((_ADMISSION, f"{name}WebhookConfiguration") for name in ("Mutating", "Validating")),
        *((_ADMISSION, f"{name}AdmissionPolicy") for name in ("Mutating", "Validating")),
        *((_ADMISSION, f"{name}AdmissionPolicyBinding") for name in ("Mutating", "Validating")),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        *(("authentication.k8s.io", kind) for kind in ("SelfSubjectReview", "TokenReview")),
        *((_AUTHORIZATION, f"SelfSubject{name}Review") for name in ("Access", "Rules")),
        (_AUTHORIZATION, "SubjectAccessReview"),
        *(
            ("certificates.k8s.io", f"{k}")
            for k in ("CertificateSigningRequest", "ClusterTrustBundle")
        ),
        *(
            ("flowcontrol.apiserver.k8s.io", kind)
            for kind in ("FlowSchema", "PriorityLevelConfiguration")
        ),
        ("internal.apiserver.k8s.io", "StorageVersion"),
        *(("networking.k8s.io", kind) for kind in ("IPAddress", "IngressClass", "ServiceCIDR")),
        ("node.k8s.io", "RuntimeClass"),
        *(("rbac.authorization.k8s.io", f"ClusterRole{end}") for end in ("", "Binding")),
        *(("resource.k8s.io", f"{name}") for name in ("DeviceClass", "ResourceSlice")),
        *(
            ("resource.k8s.io", f"{name}")
            for name in ("DeviceTaintRule", "ResourcePoolStatusRequest")
        ),
        ("scheduling.k8s.io", "PriorityClass"),
        *(("storage.k8s.io", f"CSI{name}") for name in ("Driver", "Node")),
        *(("storage.k8s.io", f"{name}Class") for name in ("Storage", "VolumeAttributes")),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
    }
)
"""(group, kind) of each."""
