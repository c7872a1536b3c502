from __future__ import annotations

import time

import pytest

from stagepass.registry.challenge import Challenge, challenges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Negotiate", [Challenge("negotiate")]),
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a.test/t?x=1,2",service=reg.test , scope="repository:a:pull,push"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://a.test/t?x=1,2",
                        "service": "reg.test",
                        "scope": "repository:a:pull,push",
                    },
                )
            ],
        ),
        (
            'BEARER Realm = "a\\"b", Basic realm="c", basic realm="d"',
            [Challenge("bearer", {"realm": 'a"b'}), Challenge("basic", {"realm": "c"})],
        ),
        (
            'Digest realm="a, Basic-ish, Bearer"',
            [Challenge("digest", {"realm": "a, Basic-ish, Bearer"})],
        ),
        ('Bearer realm="a",realm="b"', [Challenge("bearer", {"realm": "a"})]),
        ("Bearer realm=", [Challenge("bearer", {"realm": ""})]),
        ('realm="orphan"', []),
    ],
)
def test_schemes_and_their_parameters(header: str, found: list[Challenge]) -> None:
    assert list(challenges(header).values()) == found


@pytest.mark.parametrize("header", ['Bearer realm="' + "\\" * 60_000, "a" * 60_000, "a=" * 30_000])
def test_a_long_header_takes_no_long_time(header: str) -> None:
    started = time.monotonic()
    challenges(header)
    assert time.monotonic() - started < 2
