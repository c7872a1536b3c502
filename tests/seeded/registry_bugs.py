"""Seeds towards registries: bytes, hosts and sizes that are believed, asked and read without end."""

from __future__ import annotations

from tests.seeded.patch import seed

SEEDS = (
    seed(
        "body-not-hashed",
        "CVE-2022-47633",
        "a registry may send other bytes than the digest names",
        "registry/test_client.py registry/test_source.py",
        (
            "stagepass/registry/replies.py",
            "if Digest.of(reply.body) != digest:",
            "if not reply.body:",
        ),
    ),
    seed(
        "digest-header-believed",
        "CVE-2023-47630",
        "the registry says which digest a tag has",
        "seeded/test_found.py",
        (
            "stagepass/registry/client.py",
            'Digest.of(expect(reply, 200, f"the tag {tag}").body)',
            'Digest.parse(reply.headers["Docker-Content-Digest"])',
        ),
    ),
    seed(
        "referrer-of-another-image",
        "CVE-2023-33959",
        "a manifest that refers to another image is read as evidence about this one",
        "registry/test_judged_manifests.py registry/test_source.py",
        (
            "stagepass/registry/content.py",
            "if named is not None and Descriptor.parse(named).digest != subject:",
            "if named is not None and Descriptor.parse(named).digest is None:",
        ),
    ),
    seed(
        "manifest-and-index",
        "V26, GHSA-qq97-vm5h-rrhg",
        "one text is read as a manifest by one reader and as an index by another",
        "seeded/test_found.py",
        (
            "stagepass/registry/content.py",
            'if not isinstance(document.get("layers"), list) or "manifests" in document:',
            'if not isinstance(document.get("layers"), list):',
        ),
    ),
    seed(
        "login-to-any-host",
        "CVE-2025-27403",
        "the login of one registry is sent to another that asks for one",
        "registry/test_auth.py registry/test_tokens.py",
        (
            "stagepass/registry/auth.py",
            "return self.logins.get(host)",
            "return self.logins.get(host) or next(iter(self.logins.values()), None)",
        ),
    ),
    seed(
        "realm-anywhere",
        "CVE-2026-48978",
        "a registry names the host that its login is sent to",
        "registry/test_tokens.py registry/test_auth.py",
        (
            "stagepass/registry/logins.py",
            "if not self._settings.may_ask_for_token(scheme, host, server):",
            "if not scheme:",
        ),
    ),
    seed(
        "redirects-anywhere",
        "CVE-2026-50151",
        "a registry sends the gate to any host it likes",
        "registry/test_redirects.py registry/test_client.py",
        (
            "stagepass/registry/client.py",
            "if target != origin(base.url) and not may_redirect:",
            "if not target:",
        ),
    ),
    seed(
        "any-host-asked",
        "V69, CVE-2025-13281",
        "the image's author chooses which host the gate connects to",
        "registry/test_client.py registry/test_source.py",
        (
            "stagepass/registry/session.py",
            "if image.host not in self._allowed:",
            "if not image.host:",
        ),
    ),
    seed(
        "no-deadline",
        "CVE-2023-46737",
        "a search goes on however long it takes",
        "core/test_verifier.py core/test_evidence.py",
        ("stagepass/evidence.py", "if left <= 0:", "if left <= -86400:"),
    ),
    seed(
        "no-limit-of-candidates",
        "CVE-2024-29902",
        "whoever may write into a registry decides how much is read",
        "core/test_evidence.py",
        ("stagepass/evidence.py", "in paths[:MAX_CANDIDATES]:", "in paths:"),
        ("stagepass/evidence.py", "if len(paths) > MAX_CANDIDATES:", "if len(paths) < 0:"),
    ),
)
