from __future__ import annotations

import hashlib

import pytest

from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError

HEX = "0123456789abcdef" * 4
AT = f"@sha256:{HEX}"


def test_a_digest_is_sha256_and_reads_back_as_it_was_written() -> None:
    assert str(Digest.parse(f"sha256:{HEX}")) == f"sha256:{HEX}"
    assert Digest.of(b"body").hex == hashlib.sha256(b"body").hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        HEX,
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256:{HEX[:-1]}\u0661",
        f"sha512:{HEX * 2}",
        f"sha384:{HEX}{HEX[:32]}",
        f"md5:{HEX[:32]}",
        f"sha256:sha256:{HEX}",
        f"sha256:{HEX}@sha256:{HEX}",
    ],
)
def test_any_other_spelling_or_algorithm_is_no_digest(text: str) -> None:
    with pytest.raises(InputError, match="is not 'sha256:' and 64 lower-case hex digits"):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        ("registry.example.com/shop/cart", "registry.example.com", "shop/cart", None),
        ("registry.example.com/shop/cart:1.2", "registry.example.com", "shop/cart", "1.2"),
        ("registry.example.com:5000/cart:v1", "registry.example.com:5000", "cart", "v1"),
        ("localhost/cart", "localhost", "cart", None),
        ("localhost:5000/cart", "localhost:5000", "cart", None),
        ("[::1]:5000/cart:1", "[::1]:5000", "cart", "1"),
        ("[fe80::1]/cart", "[fe80::1]", "cart", None),
        ("10.0.0.1/cart", "10.0.0.1", "cart", None),
        ("REG.example/cart", "REG.example", "cart", None),
        ("Host/cart", "Host", "cart", None),
        ("evil.io/reg.example/cart", "evil.io", "reg.example/cart", None),
        ("reg.example.evil.io/cart", "reg.example.evil.io", "cart", None),
        ("reg.example:443/cart", "reg.example:443", "cart", None),
        ("r.io/a.b/c_d/e__f/g-h/i---j", "r.io", "a.b/c_d/e__f/g-h/i---j", None),
        (f"r.io/a:{'t' * 128}", "r.io", "a", "t" * 128),
        ("r.io/a:_Under.Score-9", "r.io", "a", "_Under.Score-9"),
        ("host:5000", "docker.io", "library/host", "5000"),
        ("r.io", "docker.io", "library/r.io", None),
    ],
)
@pytest.mark.parametrize("suffix", ["", AT])
def test_a_reference_is_host_repository_tag_and_digest(
    text: str, host: str, repository: str, tag: str | None, suffix: str
) -> None:
    digest = Digest(HEX) if suffix else None
    parsed = ImageRef.parse(text + suffix)

    assert parsed == ImageRef(host, repository, tag, digest)
    assert ImageRef.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "nginx",
        "library/nginx",
        "docker.io/nginx",
        "docker.io/library/nginx",
        "index.docker.io/nginx",
        "index.docker.io/library/nginx",
    ],
)
def test_every_spelling_of_a_docker_hub_image_has_one_meaning(text: str) -> None:
    assert ImageRef.parse(text).name == "docker.io/library/nginx"
    assert ImageRef.parse(f"{text}:1.27{AT}").tag == "1.27"


def test_a_docker_hub_name_with_an_owner_stays_as_it_is() -> None:
    for text in ("shop/cart", "docker.io/shop/cart", "index.docker.io/shop/cart"):
        assert ImageRef.parse(text).name == "docker.io/shop/cart"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x" * 10_000,
        f"r.io/{'x/' * 5_000}x{AT}",
        f"r.io/{'x' * 300}{AT}",
        HEX,
        " nginx",
        "nginx ",
        "nginx\n",
        "nginx\x00",
        "ng\u200dinx",
        "r\u0435g.io/nginx",
        "r.io/ngin\u0445",
        "r.io/a%2fb",
        "r.io/a?b",
        "r.io/a#b",
        "r.io/../a",
        "r.io/./a",
        "r.io//a",
        "r.io/a/",
        "/a",
        "r.io/",
        "r.io/A",
        "r.io/a..b",
        "r.io/a._b",
        "r.io/a___b",
        "r.io/-a",
        "r.io/a-",
        "r.io/.a",
        "r_x.io/a",
        "-r.io/a",
        "r.io-/a",
        "r.io./a",
        "r..io/a",
        "r.io:/a",
        "r.io:port/a",
        "r.io:123456/a",
        "[::g]:1/a",
        "[]/a",
        "http://r.io/a",
        "user:pw@r.io/a",
        "reg.example@evil.io/a",
        "r.io/a:",
        "r.io/a:b:c",
        "r.io/a:.b",
        "r.io/a:-b",
        f"r.io/a:{'t' * 129}",
        "r.io/a:t/b",
        "r.io/a@",
        "r.io/a@sha256:",
        f"r.io/a{AT}{AT}",
        f"r.io/a@SHA256:{HEX}",
        f"r.io/a@sha256:{HEX.upper()}",
        f"r.io/a@sha256:{HEX[1:]}",
        f"r.io/a@sha256:{HEX}0",
        f"r.io/a@sha512:{HEX * 2}",
        f"r.io/a@md5:{HEX[:32]}",
        f"r.io/a@{HEX}",
        f"r.io/a:1{AT} ",
        AT,
    ],
)
def test_what_no_runtime_reads_the_same_way_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        ImageRef.parse(text)


def test_a_repository_has_at_most_255_characters_with_its_host() -> None:
    longest = "r.io/" + "x" * 250

    assert ImageRef.parse(longest).name == longest
    with pytest.raises(InputError, match="at most 255 characters"):
        ImageRef.parse(f"{longest}x")


def test_a_refusal_names_the_part_and_escapes_what_a_terminal_would_obey() -> None:
    with pytest.raises(InputError, match=r"'evil\\x1b\[2J' is not a repository name"):
        ImageRef.parse("r.io/evil\x1b[2J")
    with pytest.raises(InputError, match="1 to 512 characters, this has 10000"):
        ImageRef.parse("x" * 10_000)


def test_the_tag_beside_a_digest_is_kept_for_people_and_the_digest_counts() -> None:
    parsed = ImageRef.parse(f"r.io/a:good{AT}")

    assert (parsed.digest, parsed.tag, parsed.name) == (Digest(HEX), "good", "r.io/a")
