"""`explain` for people: a table that no evidence can break or disguise."""

from __future__ import annotations

import pytest

from stagepass.bundle import Bundle
from stagepass.envelope import Envelope
from stagepass.statement import PAYLOAD_TYPE
from tests.cli.conftest import Result, Shop
from tests.world import DIGEST, IMAGE, signed_pass, signer, statement, stored

HOSTILE = [
    "[/x]",
    "[red]",
    "[bold]x[/bold]",
    "[link=file:///x]x[/link]",
    "\x1b[2J",
    "\n",
]


def explain(shop: Shop, stage: str) -> Result:
    options = ["--policy", str(shop.policy), "--evidence", f"dir:{shop.evidence}"]
    return shop.run(
        *("explain", str(IMAGE), "--stage", stage, *options, "--now", "2026-11-26T12:00:00Z")
    )


def test_what_is_met_is_shown_with_its_signer_and_time(shop: Shop) -> None:
    shop.prove()
    result = explain(shop, "staging")

    assert result.code == 0
    assert result.out.splitlines()[:2] == [*(str(IMAGE), "admitted until 2026-12-26T11:00:00Z")]
    (row,) = [line for line in result.out.splitlines() if line.startswith("met")]
    assert row.split(maxsplit=3) == [
        *("met", "shop/staging", "passed"),
        "test@test  signed by test-cluster at 2026-11-26T11:00:00Z",
    ]


def test_what_is_missing_is_shown_with_the_command_that_mends_it(shop: Shop) -> None:
    stored(shop.evidence, [signed_pass("test")])
    result = explain(shop, "production")
    rows = [line.split()[0] for line in result.out.splitlines() if line.strip()]

    assert result.code == 1
    assert rows.count("met") == 1
    assert rows.count("missing") == 2
    assert result.out.count("to fix: stagepass attest ") == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_stranger_wrote_into_evidence_is_shown_as_text(shop: Shop, text: str) -> None:
    """Markup would hide or colour words, and an unmatched tag would end the command."""
    key = signer("stranger").private
    bundles = [
        Bundle(Envelope(text, statement(), b"x"), key.public.id).to_bytes(),
        key.sign(statement(changes={text: 1})).to_bytes(),
        Bundle(Envelope(PAYLOAD_TYPE, statement(), b"x", keyid=text), text).to_bytes(),
        signed_pass("test", changes={"critical": [text]}),
        signed_pass("test", changes={"timeVerified": text}),
    ]
    stored(shop.evidence, bundles)
    result = explain(shop, "staging")

    assert (result.code, result.err) == (1, "")
    assert "\x1b" not in result.out
    if text.isprintable():
        assert text in "".join(result.out.split())


def test_the_names_in_a_policy_are_text_too(shop: Shop) -> None:
    name = "[/x]"
    file = shop.policy / "policy.yaml"
    file.write_text(file.read_text().replace("name: provenance", f"name: '{name}'"))
    result = explain(shop, "test")

    assert (result.code, result.err) == (1, "")
    assert name in result.out


def test_the_name_of_an_evidence_file_is_text(shop: Shop) -> None:
    folder = shop.evidence / f"sha256-{DIGEST.hex}"
    folder.mkdir(parents=True)
    (folder / "[bold].sigstore.json").write_text("junk")

    assert explain(shop, "staging").code == 1
