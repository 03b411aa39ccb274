from __future__ import annotations

from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from engine.commands.lazy import LazyGroup, from_path


@click.command()
def there() -> None:
    """Be there."""
    click.echo("here")


def absent() -> click.Command:
    import_module("a_package_that_nobody_has")
    raise AssertionError


GROUP = LazyGroup(name="group", loaders={"absent": absent, "there": lambda: there})


def test_help_lists_a_command_whose_packages_are_missing():
    told = CliRunner().invoke(GROUP, ["--help"])

    assert told.exit_code == 0
    assert "needs the package a_package_that_nobody_has" in " ".join(told.output.split())
    assert "Be there." in told.output


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--option", "value"]])
def test_calling_it_says_what_to_install(arguments):
    told = CliRunner().invoke(GROUP, ["absent", *arguments])

    assert told.exit_code == 1
    assert "pip install" in told.output
    assert "Traceback" not in told.output


def test_the_others_work():
    assert CliRunner().invoke(GROUP, ["there"]).output == "here\n"


def test_a_module_of_our_own_that_is_missing_is_a_fault():
    group = LazyGroup(name="group", loaders={"broken": from_path("engine.no_such_module:x")})

    assert isinstance(CliRunner().invoke(group, ["broken"]).exception, ModuleNotFoundError)
