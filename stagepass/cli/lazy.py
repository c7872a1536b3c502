"""Groups whose commands are imported only when one of them is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click


class Lazy(click.Group):
    """A group of `modules`: command → (module of `stagepass.cli`, name in it)."""

    modules: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, modules: Mapping[str, tuple[str, str]]) -> type[Lazy]:
        """The class of one group."""
        return type("LazyGroup", (cls,), {"modules": modules})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All of them, without importing any."""
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command `cmd_name`, its module imported."""
        module, name = self.modules.get(cmd_name, ("", ""))
        command = getattr(import_module(f"stagepass.cli.{module}"), name) if module else None
        return command if isinstance(command, click.Command) else None
