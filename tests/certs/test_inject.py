from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from certs.__main__ import main
from certs.inject import inject, read_bundle
from certs.issue import issue
from certs.names import Names
from stagepass.errors import InputError

BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB+/==\n").decode()
NOW = datetime.now(UTC)

MANIFEST = """\
# the namespace stays as it is   (and so do odd  blanks)
apiVersion: v1
kind: Namespace
metadata: {name: "stagepass-system"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: stagepass
webhooks:
  - name: gate.stagepass.dev
    clientConfig:   # who is asked
      service:
        name: gate   # by its Service
        namespace: stagepass-system
    failurePolicy: Fail
  # the second
  - clientConfig:
      caBundle: b2xk
      url: https://127.0.0.1:8443/validate
    name: second.stagepass.dev
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
webhooks:
  - name: not-ours.example.com
    clientConfig: {url: "https://127.0.0.1:1/"}
"""


def configuration(client: str, *, after: str = "    failurePolicy: Fail\n") -> str:
    """A manifest whose one webhook has this `clientConfig`, as YAML text."""
    return (
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n"
        f"webhooks:\n  - name: gate.stagepass.dev\n    clientConfig:{client}\n{after}"
    )


def bundles(text: str) -> list[object]:
    """The `caBundle` of every webhook of every document, `None` where there is none."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(text))
    return [
        webhook["clientConfig"].get("caBundle")
        for document in documents
        for webhook in document.get("webhooks", ())
    ]


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """The certificate of a development CA."""
    names = Names.of_service("gate", "stagepass-system")
    issue(tmp_path / "dev", names, days=90, replace=False, now=NOW)
    return tmp_path / "dev" / "ca.crt"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "webhook.yaml"
    path.write_text(MANIFEST)
    return path


def test_every_validating_webhook_gets_the_bundle_and_nothing_else_changes() -> None:
    after = inject(MANIFEST, BUNDLE, where="x.yaml")

    old, new = MANIFEST.splitlines(), after.splitlines()
    assert bundles(after) == [BUNDLE, BUNDLE, None]
    assert [line for line in new if line not in old] == [f"      caBundle: {BUNDLE}"] * 2
    assert [line for line in old if line not in new] == ["      caBundle: b2xk"]


@pytest.mark.parametrize(
    "client",
    [
        "\n      url: https://x/",
        "\n      caBundle:\n      url: https://x/",
        "\n      caBundle: # filled in later\n      url: https://x/",
        '\n      caBundle: ""\n      url: https://x/',
        "\n      caBundle: null  # none yet\n      url: https://x/",
        "\n      url: https://x/\n      caBundle: ~",
        "\n      url: https://x/\n      caBundle: |\n        b2xk\n        b2xk\n\n",
        "\n      caBundle: >-\n        b2xk\n        b2xk\n    # a comment\n      url: https://x/",
        "\n      caBundle: b2xk\n        b2xk\n      url: https://x/",
        "\n      caBundle: 'b2xk'\n      url: https://x/",
        '\n      "caBundle": "b2xk"\n      "url": https://x/',
        " &client\n      url: https://x/",
        " {url: 'https://x/'}",
        " {url: 'https://x/', caBundle: b2xk}",
        " {caBundle: , url: 'https://x/'}",
        " {\n      caBundle: null,\n      url: 'https://x/'\n    }",
        " {service: {name: gate, namespace: stagepass-system, path: /validate}}",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_way_to_write_a_client_config(client: str, end: str) -> None:
    text = configuration(client).replace("\n", end)

    once = inject(text, BUNDLE, where="x.yaml")

    assert bundles(once) == [BUNDLE]
    assert inject(once, BUNDLE, where="x.yaml") == once
    assert once.count("\r\n") == (once.count("\n") if end == "\r\n" else 0)
    assert once.count("#") == text.count("#")


def test_json_stays_json() -> None:
    text = json.dumps(yaml.safe_load(configuration(" {url: 'https://x/'}")), indent=2)

    after = inject(text, BUNDLE, where="x.json")

    assert json.loads(after)["webhooks"][0]["clientConfig"]["caBundle"] == BUNDLE


@pytest.mark.parametrize("text", ["\ufeff" + configuration(" {url: 'https://x/'}"), "é: ü\n"])
def test_marks_count_characters(text: str) -> None:
    """A byte order mark, and letters of two bytes, before the place that is edited."""
    after = inject(text + "---\n" + configuration("\n      url: https://x/"), BUNDLE, where="x")

    assert set(bundles(after)) == {BUNDLE}


def test_the_items_of_a_list_are_filled() -> None:
    item = yaml.safe_load(configuration(" {url: 'https://x/'}"))
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [item, {"kind": "Pod"}]})

    after = yaml.safe_load(inject(text, BUNDLE, where="x.yaml"))

    assert after["items"][0]["webhooks"][0]["clientConfig"]["caBundle"] == BUNDLE
    assert after["items"][1] == {"kind": "Pod"}


def test_one_client_config_used_twice_is_filled_once() -> None:
    text = configuration(
        " &client\n      url: https://x/",
        after="  - name: second.stagepass.dev\n    clientConfig: *client\n",
    )

    assert bundles(inject(text, BUNDLE, where="x.yaml")) == [BUNDLE, BUNDLE]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Pod\n", "no ValidatingWebhookConfiguration with webhooks in it"),
        ("", "no ValidatingWebhookConfiguration"),
        ("[1, 2]\n---\njust text\n", "no ValidatingWebhookConfiguration"),
        (configuration(" {}").split("webhooks:", maxsplit=1)[0], "no ValidatingWebhookConf"),
        (configuration(" {}").replace("k8s.io", "example.com"), "no ValidatingWebhookConf"),
        (configuration(" {}"), r"webhooks\[0\]\.clientConfig is empty \(give it a service or"),
        (configuration(""), "clientConfig is empty"),
        (configuration(" {url: a, url: b}"), "x.yaml: "),
        (configuration(" ["), "not YAML"),
        (
            configuration(
                " {url: a, caBundle: &ca b2xk}",
                after="  - name: b\n    clientConfig: {url: b, caBundle: *ca}\n",
            ),
            "caBundle cannot be set without changing more",
        ),
    ],
)
def test_what_cannot_be_filled_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        inject(text, BUNDLE, where="x.yaml")

    assert refused.value.where == "x.yaml"


def test_the_file_is_replaced_in_place_once(
    manifest: Path, ca: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest.chmod(0o640)
    arguments = ["inject", str(manifest), "--ca", str(ca)]

    assert main(arguments) == 0

    first = manifest.stat()
    assert stat.S_IMODE(first.st_mode) == 0o640
    value = bundles(manifest.read_text())[0]
    assert base64.b64decode(str(value), validate=True) == ca.read_bytes()
    assert main(arguments) == 0
    assert "has it already" in capsys.readouterr().out
    assert manifest.stat().st_ino == first.st_ino, "nothing to change, nothing written"


def test_output_leaves_the_manifest_alone(
    manifest: Path, ca: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["inject", str(manifest), "--ca", str(ca), "--output"]

    assert main([*arguments, str(tmp_path / "out.yaml")]) == 0
    capsys.readouterr()
    assert main([*arguments, "-"]) == 0

    assert capsys.readouterr().out == (tmp_path / "out.yaml").read_text() != MANIFEST
    assert manifest.read_text() == MANIFEST


def test_a_linked_manifest_stays_a_link(manifest: Path, ca: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(manifest.name)

    assert main(["inject", str(link), "--ca", str(ca)]) == 0

    assert link.is_symlink()
    assert manifest.read_text() != MANIFEST


@pytest.mark.parametrize("content", [b"", b"PEM?\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_a_certificate_is_refused(
    manifest: Path, tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """control-plane-proof section 3: accepted at creation, then every request fails."""
    wrong = tmp_path / "wrong.crt"
    wrong.write_bytes(content)

    assert main(["inject", str(manifest), "--ca", str(wrong)]) == 64

    error = capsys.readouterr().err
    assert f"{wrong}: not a PEM certificate (name a file with -----BEGIN CERTIFICATE" in error
    assert manifest.read_text() == MANIFEST


@pytest.mark.parametrize(
    ("name", "message"), [("ca.key", "not a PEM certificate"), ("tls.crt", "CN=gate is not a CA")]
)
def test_the_neighbours_of_the_ca_are_refused(
    manifest: Path, ca: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inject", str(manifest), "--ca", str(ca.with_name(name))]) == 64

    assert message in capsys.readouterr().err
    assert manifest.read_text() == MANIFEST


def test_a_private_key_beside_the_certificate_stays_behind(ca: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(ca.with_name("ca.key").read_bytes() + b"some text\n" + ca.read_bytes())

    assert base64.b64decode(read_bundle(both, now=NOW)) == ca.read_bytes()


def test_two_cas_are_trusted_together_and_one_of_them_may_be_over(ca: Path, tmp_path: Path) -> None:
    names = Names.of_service("gate", "stagepass-system")
    past = NOW - timedelta(days=400)
    issue(tmp_path / "old", names, days=90, replace=False, now=past)
    old, both = tmp_path / "old" / "ca.crt", tmp_path / "both.crt"
    both.write_bytes(old.read_bytes() + ca.read_bytes())

    assert base64.b64decode(read_bundle(both, now=NOW)) == both.read_bytes()
    with pytest.raises(InputError, match="no certificate in it is valid now"):
        read_bundle(old, now=NOW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.yaml", "--ca", __file__], "'missing.yaml' does not exist"),
        ([__file__], "Missing option '--ca'"),
    ],
)
def test_usage_errors_exit_64(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inject", *arguments]) == 64
    assert message in capsys.readouterr().err


def test_a_manifest_that_is_not_text_is_refused(
    tmp_path: Path, ca: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "utf16.yaml"
    path.write_bytes(MANIFEST.encode("utf-16"))

    assert main(["inject", str(path), "--ca", str(ca)]) == 64
    assert f"{path}: not UTF-8" in capsys.readouterr().err
