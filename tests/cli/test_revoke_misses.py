"""`revoke --policy`: what an entry would miss is said before it is relied on."""

from __future__ import annotations

import json

import pytest

from stagepass.predicates.revocation import Entry
from tests.cli.conftest import Shop
from tests.cli.test_revoke import DOCUMENT, listed, revoke, target
from tests.keyless.keyed import trust_files
from tests.policy.signed import write_shop
from tests.world import signer

ISSUER = "https://accounts.example.com"
WORKFLOW = "https://ci.example.com/acme/shop/release.yml"
IDENTITIES = [
    {"issuer": ISSUER, "subject": "alice@example.com", "owner": "alice-by-mail"},
    {"issuer": "https://ci.example.com", "subject": f"{WORKFLOW}@refs/heads/*", "owner": "ci-job"},
]


@pytest.fixture
def people(shop: Shop) -> Shop:
    """The shop with two identities in it."""
    write_shop(shop.root, {}, DOCUMENT)
    document = {
        "apiVersion": "stagepass.dev/v1",
        "kind": "Attestors",
        "attestors": {"people": {"identities": IDENTITIES}},
    }
    for name, text in {**trust_files(), "people.yaml": json.dumps(document)}.items():
        path = shop.policy / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for name in ("security", "stranger"):
        (shop.root / f"{name}.pub").write_bytes(signer(name).public_pem)
    return shop


def warned(shop: Shop, *arguments: str) -> list[str]:
    """What is warned of; the list is written all the same."""
    result = revoke(shop, *arguments, "--reason", "x", "--policy", str(shop.policy))
    assert (result.code, target(shop).exists()) == (0, True), result.err
    return [line for line in result.err.splitlines() if line.startswith("warning: ")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--identity", "alice@example.com"],
        ["--identity", "Alice@Example.com", "--issuer", f"{ISSUER}/"],
        ["--identity", "*@example.com"],
        ["--identity", f"{WORKFLOW}@refs/heads/*"],
        ["--identity", "https://ci.example.com/acme/**"],
        ["--artifact", f"sha256:{'ab' * 32}"],
    ],
)
def test_what_revokes_all_that_it_means_is_not_warned_of(
    people: Shop, arguments: list[str]
) -> None:
    assert warned(people, *arguments) == []


@pytest.mark.parametrize(
    ("arguments", "who"),
    [
        (["--identity", "alicia@example.com"], "'alicia@example.com'"),
        (
            ["--identity", "alice@example.com", "--issuer", "https://other.example.com"],
            "'alice@example.com' by issuer 'https://other.example.com'",
        ),
        (["--identity", f"{WORKFLOW}@refs/tags/*"], f"'{WORKFLOW}@refs/tags/*'"),
    ],
)
def test_an_entry_that_nobody_could_be(people: Shop, arguments: list[str], who: str) -> None:
    assert warned(people, *arguments) == [
        f"warning: no identity of the set could be {who}: by this entry nothing dies"
    ]


def test_one_of_many_that_a_pattern_takes(people: Shop) -> None:
    """Whoever took the repository over pushes another branch."""
    (message,) = warned(people, "--identity", f"{WORKFLOW}@refs/heads/main")

    assert message == (
        f"warning: '{WORKFLOW}@refs/heads/main' is not all that '{WORKFLOW}@refs/heads/*' of 'ci-job'"
        " takes: whoever else matches that counts on; revoke the pattern as well, or take it out of the"
        " policy"
    )
    assert warned(people, "--identity", f"{WORKFLOW}@refs/heads/**") == []


def test_a_key_that_no_attestor_has(people: Shop) -> None:
    (message,) = warned(people, "--public-key", str(people.root / "stranger.pub"))

    assert message.startswith("warning: no key of the set has the id ")


def test_a_pattern_is_written_as_it_is(people: Shop) -> None:
    warned(people, "--identity", "*@Example.com", "--issuer", f"{ISSUER}/")

    assert listed(people).entries == (Entry("identity", "*@Example.com", "x", f"{ISSUER}/"),)


@pytest.mark.parametrize("option", ["--identity", "--reason"])
@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_what_is_blank_is_no_entry(people: Shop, option: str, text: str) -> None:
    """It would stand in the list, and revoke nobody."""
    given = {"--identity": "alice@example.com", "--reason": "x"} | {option: text}
    result = revoke(people, *(part for pair in given.items() for part in pair))

    assert (result.code, target(people).exists()) == (64, False)
    assert option in result.err


EVERYBODY = "is everybody of any issuer: all that certificates ever signed dies"
SHORT = "no workflow of GitHub is called so: by this entry nothing dies"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--identity", "**"], f"'**' {EVERYBODY}"),
        (["--identity", "**@**"], f"'**@**' {EVERYBODY}"),
        (
            ["--identity", "**", "--issuer", ISSUER],
            f"'**' {EVERYBODY}".replace("any issuer", f"issuer {ISSUER!r}"),
        ),
        (["--identity", "https://github.com/acme/shop*"], SHORT),
        (["--identity", "https://GitHub.com/acme/shop/.github/workflows/release.yml"], SHORT),
        (["--identity", "https://acme.ghe.com/acme/shop/.github/workflows/r*"], SHORT),
        (["--identity", "https://github.com/acme/shop/.github/workflows/r.yml@refs/**"], ""),
        (["--identity", "https://github.com/acme/shop/**"], ""),
        (["--identity", "https://github.com/**"], ""),
        (["--identity", "alice@example.com"], ""),
    ],
)
def test_the_shape_alone_tells_some(people: Shop, arguments: list[str], what: str) -> None:
    """Also where no policy is at hand."""
    result = revoke(people, *arguments, "--reason", "x")
    told = [line for line in result.err.splitlines() if line.startswith("warning: ")]

    assert (result.code, target(people).exists()) == (0, True)
    assert len(told) == bool(what)
    assert what in "".join(told)


def test_everybody_is_warned_of_with_a_policy_as_well(people: Shop) -> None:
    (message,) = warned(people, "--identity", "**")

    assert EVERYBODY in message
