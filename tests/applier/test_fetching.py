"""Who is fetched when; that a hanging host delays nobody in a real applier is tests/cluster's to show."""

from __future__ import annotations

from applier.fetching import PER_HOST, THREADS, Turns

_EVERY = 15.0


def _urls(host: str, count: int) -> list[str]:
    return [f"https://{host}/repository-{number}.git" for number in range(count)]


def test_a_host_with_many_repositories_leaves_room_for_another() -> None:
    turns = Turns(_EVERY)
    many, other = _urls("hangs.example", 50), "https://other.example/deploy.git"

    assert len(turns.take(many, 0.0)) == PER_HOST
    assert turns.take([*many, other], 0.0) == [other]


def test_four_hosts_that_hang_do_not_hold_every_thread() -> None:
    turns = Turns(_EVERY)
    hanging = [url for number in range(4) for url in _urls(f"{number}.example", 50)]

    assert len(turns.take(hanging, 0.0)) < THREADS


def test_all_repositories_of_a_host_get_their_turn() -> None:
    """Also where one round takes longer than the pace: the first are due again before the last were."""
    turns, urls, seen = Turns(_EVERY), _urls("slow.example", 9), set[str]()

    for now in range(0, 5 * 60, 60):
        taken = turns.take(urls, float(now))
        seen.update(taken)
        for url in taken:
            turns.done(url, now + 20.0)

    assert seen == set(urls)


def test_nothing_is_fetched_twice_at_once_or_ahead_of_its_time() -> None:
    turns, (url,) = Turns(_EVERY), _urls("a.example", 1)

    assert turns.take([url], 0.0) == [url]
    assert turns.take([url], 100.0) == []
    turns.done(url, 100.0)
    assert turns.take([url], 114.9) == []
    assert turns.take([url], 115.0) == [url]


def test_who_waits_for_room_wakes_nobody() -> None:
    """Else the loop spins for as long as a host hangs."""
    turns, urls = Turns(_EVERY), _urls("hangs.example", 3)
    turns.take(urls, 0.0)

    assert turns.next(urls, 0.0) == float("inf")
    turns.done(urls[0], 1.0)
    assert turns.next(urls, 1.0) == 0.0


def test_the_port_is_part_of_a_host_and_the_user_is_not() -> None:
    turns = Turns(_EVERY)
    urls = ["ssh://git@a.example/1.git", "ssh://you@a.example/2.git", "ssh://a.example/3.git"]

    assert len(turns.take(urls, 0.0)) == PER_HOST
    assert len(turns.take(["ssh://git@a.example:2222/4.git"], 0.0)) == 1
