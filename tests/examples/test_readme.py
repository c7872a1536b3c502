from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.shop import Shop
from stagepass.cli.main import run

README = Path(__file__).resolve().parents[2] / "README.md"


def _tour() -> Iterator[tuple[str, str]]:
    """Each command of the README's tour, with the output printed below it."""
    (tour,) = re.findall(
        r"<!-- tour -->\n```console\n(.*?)```\n<!-- /tour -->", README.read_text(), re.S
    )
    for block in tour.strip().split("\n\n"):
        command, _, output = block.partition("\n")
        yield command.removeprefix("$ "), output


def _pattern(text: str) -> str:
    return re.escape(text).replace(r"\.\.\.\.", r"[0-9a-f]{64}\.").replace(r"\.\.\.", "[0-9a-f]*")


def test_every_command_of_the_tour_prints_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`...` in the README stands for the rest of a digest or of a file's name."""
    shop = Shop(tmp_path)
    image = shop.build("1.0").replace(":1.0@", "@")
    monkeypatch.chdir(tmp_path)
    commands = list(_tour())
    assert len(commands) == 3
    capsys.readouterr()

    for command, output in commands:
        program, *arguments = shlex.split(command.replace("$IMAGE", image))
        assert program == "stagepass"
        run(arguments)
        said = capsys.readouterr().out.strip()
        assert re.fullmatch(_pattern(output), said), f"$ {command}\n{said}"
