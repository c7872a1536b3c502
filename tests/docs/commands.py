"""docs/commands.md, made from the commands themselves: `python -m tests.docs.commands > docs/commands.md`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from stagepass.cli.main import stagepass

_HEAD = """\
# Commands

Every command of `stagepass` with its options, made from the program itself by
`python -m tests.docs.commands > docs/commands.md`. In use they are shown in the [guide](guide.md).

| exit code | meaning |
|---|---|
| 0 | admitted, or done |
| 1 | denied; of `policy`: findings, failed cases, differences |
| 2 | undetermined, or an error of ours |
| 64 | usage, a policy set that does not load, or unusable input |

Exit codes follow the decision *before* enforcement; of several objects, the worst counts.
`STAGEPASS_REGISTRIES` and `DOCKER_CONFIG` say how registries are reached: see [settings](settings.md).
The gate itself (`python -m webhook`) has no options but those settings.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for path, command in _commands("stagepass", stagepass, None):
        parts += [f"\n## {path.removeprefix('stagepass ')}\n", *_about(path, command)]
    return "".join(parts)


def _commands(
    path: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, depth first, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, parent, info_name=path.rpartition(" ")[2])
    for name in command.list_commands(context):
        member = command.get_command(context, name)
        assert member is not None, f"{path} {name} is listed, and is not there"
        yield from _commands(f"{path} {name}", member, context)


def _about(path: str, command: click.Command) -> Iterator[str]:
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    context = click.Context(command)
    usage = [path, *(p.make_metavar(context) for p in arguments)]
    usage += [_written(p, context) for p in options if p.required]
    usage += ["[OPTIONS]"] if any(not p.required for p in options) else []
    yield f"\n```\n{' '.join(usage)}\n```\n\n{inspect.cleandoc(command.help or '')}\n"
    if options:
        yield "\n| option | default | meaning |\n|---|---|---|\n"
    for option in options:
        cells = (f"`{_written(option, context)}`", _default(option), option.help or "")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _written(option: click.Option, context: click.Context) -> str:
    name = option.opts[-1]
    return name if option.is_flag else f"{name} {option.make_metavar(context)}"


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if not option.show_default:
        return ""
    values = option.default if isinstance(option.default, tuple) else (option.default,)
    return " ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    print(page(), end="")
