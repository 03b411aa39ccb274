"""A click group that imports a command only when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import click

Loader = Callable[[], click.Command]


def from_path(path: str) -> Loader:
    """Return a loader of ``package.module:attribute``."""

    def load() -> click.Command:
        module, attribute = path.split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    return load


class LazyGroup(click.Group):
    """A group whose commands are given as loaders, so that start-up stays short."""

    loaders: Mapping[str, Loader]

    def __init__(self, *args: object, loaders: Mapping[str, Loader], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.loaders = loaders

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self.loaders})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command asked for."""
        if cmd_name in self.loaders:
            return self.loaders[cmd_name]()
        return super().get_command(ctx, cmd_name)
