"""A click group that imports a command only when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import click

Loader = Callable[[], click.Command]
OWN = frozenset({"connector", "engine", "misp_module", "training"})


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
        """Import the command asked for.

        One whose packages are not installed is still listed by ``--help``, and says when called
        what it needs.
        """
        if cmd_name not in self.loaders:
            return super().get_command(ctx, cmd_name)
        try:
            return self.loaders[cmd_name]()
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] in OWN:
                raise  # A fault of this package, not of the installation.
            return _unavailable(cmd_name, error.name)


def _unavailable(name: str, package: str) -> click.Command:
    def explain(_arguments: tuple[str, ...]) -> None:
        raise click.ClickException(
            f"'{name}' needs the package '{package}', which is not installed. Install the extra "
            "that brings it, for example: pip install 'ttpscribe[train]' (or [opencti], [misp], "
            "[ray])."
        )

    return click.Command(
        name,
        callback=explain,
        params=[click.Argument(["_arguments"], nargs=-1, type=click.UNPROCESSED)],
        short_help=f"Not available: needs the package {package}.",
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
    )
