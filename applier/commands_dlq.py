"""`dlq`: versions that were given up, looked at, tried again and closed."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from applier.cluster import Cluster
from applier.commands_show import print_facts, print_json, print_line, print_table
from applier.deadletters import Letter
from applier.records_letters import Letters, letters_of
from stagepass.clock import format_time
from stagepass.errors import InputError, did_you_mean

_SHORT = 12
_MAX_REASON = 512
_HEADINGS = ("NAME", "APPLICATION", "STATE", "REASON", "COMMIT", "ATTEMPTS", "LAST SEEN", "MESSAGE")


def ls(chosen: argparse.Namespace) -> int:
    """1 while one is open, else 0."""
    found = sorted(_letters(chosen).all(), key=lambda e: (not e.is_open, e.application, e.last))
    if chosen.output == "json":
        for letter in found:
            print_json(letter.to_document())
    elif found:
        print_table(_HEADINGS, [_row(letter) for letter in found])
    else:
        print_line("no dead letters")
    return int(any(letter.is_open for letter in found))


def show(chosen: argparse.Namespace) -> int:
    """1 while it is open, else 0."""
    letter = _one(_letters(chosen), chosen.name)
    document = letter.to_document()
    if chosen.output == "json":
        print_json(document)
    else:
        revision = document.pop("revision")
        print_facts({**document, "meaning": letter.reason.meaning, **revision})
    return int(letter.is_open)


def redrive(chosen: argparse.Namespace) -> int:
    """The applier notices within seconds."""
    letters = _letters(chosen)
    letter = _one(letters, chosen.name)
    _refuse_unless_open(letter)
    # To the microsecond: a second request in the same second is another one.
    letters.ask(letter.name, redrive=datetime.now(UTC).isoformat(timespec="microseconds"))
    return _done(chosen, letters, "to be tried again")


def close(chosen: argparse.Namespace) -> int:
    """Closed from now on, also while no applier runs."""
    letters = _letters(chosen)
    letter = _one(letters, chosen.name)
    _refuse_unless_open(letter)
    if not 0 < len(chosen.reason) <= _MAX_REASON:
        raise InputError(f"--reason has 1 to {_MAX_REASON} characters")
    letters.ask(letter.name, close=chosen.reason)
    return _done(chosen, letters, "closed")


def _letters(chosen: argparse.Namespace) -> Letters:
    return letters_of(Cluster.connect(chosen.kubeconfig), chosen.namespace)


def _one(letters: Letters, name: str) -> Letter:
    found = letters.get(name)
    if found is None:
        hint = did_you_mean(name, [letter.name for letter in letters.all()])
        raise InputError(f"there is no dead letter {name!r}", hint=hint)
    return found


def _refuse_unless_open(letter: Letter) -> None:
    if not letter.is_open:
        state, because = letter.to_document()["state"], letter.closing or letter.because
        raise InputError(f"{letter.name} is {state}: {because}", hint="only an open one can be")


def _done(chosen: argparse.Namespace, letters: Letters, what: str) -> int:
    if chosen.output == "json":
        print_json(_one(letters, chosen.name).to_document())
    else:
        print_line(f"{chosen.name}: {what}")
    return 0


def _row(letter: Letter) -> tuple[str, ...]:
    document = letter.to_document()
    return (
        letter.name,
        letter.application,
        document["state"],
        letter.reason.name,
        letter.version.commit[:_SHORT],
        str(letter.attempts),
        format_time(letter.last),
        letter.message,
    )
