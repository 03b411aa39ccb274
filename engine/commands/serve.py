"""``ttpscribe serve``: the engine over HTTP, and the keys to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import TtpscribeError
from engine.service.errors import ServiceError

if TYPE_CHECKING:
    from engine.service.keys import Keys
    from engine.service.settings import ServiceSettings

NEEDS = frozenset(
    {
        "fastapi",
        "multipart",
        "prometheus_client",
        "pydantic_settings",
        "python_multipart",
        "starlette",
        "uvicorn",
    }
)

EPILOG = """\b
Examples:
  ttpscribe serve
  ttpscribe serve keys add opencti
  ttpscribe serve --host 0.0.0.0 --port 8321
  curl -s http://127.0.0.1:8321/ready
  curl -s -F file=@report.pdf -H "Authorization: Bearer $KEY" http://127.0.0.1:8321/v1/analyse

\b
All settings (TLS, limits, and so on): docs/service.md; environment variables
TTPSCRIBE_SERVICE_*, or the section 'service' of config.yml.
"""


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port.  [default: 8321]")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A config.yml. Environment variables go before it.",
)
@click.pass_context
def serve(ctx: click.Context, host: str | None, port: int | None, config: Path | None) -> None:
    """Serve the engine over HTTP until ended by a signal.

    Requests that run then are still answered. A new champion is taken up without a pause.
    """
    given: dict[str, Any] = {"host": host, "port": port}
    settings = _load(config, {name: value for name, value in given.items() if value is not None})
    ctx.obj = settings
    if ctx.invoked_subcommand is None:
        try:
            from engine.service.server import run
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        run(settings)


@serve.group()
def keys() -> None:
    """Make, list and revoke API keys. A running service takes changes up at once.

    To rotate: add a new key, give it to the clients, revoke the old one.
    """


@keys.command()
@click.argument("name")
@click.option("--days", type=click.IntRange(min=1), help="Let it expire after so many days.")
@click.pass_obj
def add(settings: ServiceSettings, name: str, days: int | None) -> None:
    """Make a key and print it, this once.

    NAME is for people: it stands in the log of each request made with the key.
    """
    expires = datetime.now(UTC) + timedelta(days=days) if days else None
    store = _keys(settings)
    click.echo(store.add(name, expires))
    click.echo(f"Only its hash is kept, in {store.path}. It cannot be shown again.", err=True)


@keys.command("list")
@click.pass_obj
def list_(settings: ServiceSettings) -> None:
    """List the keys by name; none is shown."""
    now = datetime.now(UTC)
    store = _keys(settings)
    if not store.all():
        click.echo(f"There are no keys in {store.path}.")
    for key in store.all():
        state = "valid" if key.valid(now) else "revoked" if key.revoked else "expired"
        until = f", until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else ""
        click.echo(f"{state:<8} {key.name:<24} made {key.created:%Y-%m-%d %H:%M} UTC{until}")


@keys.command()
@click.argument("name")
@click.pass_obj
def revoke(settings: ServiceSettings, name: str) -> None:
    """Let a key open nothing from now on."""
    _keys(settings).revoke(name)
    click.echo(f"Revoked: {name}")


def _load(config: Path | None, given: dict[str, Any]) -> ServiceSettings:
    try:
        from engine.service.settings import load
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return load(config, **given)


def _keys(settings: ServiceSettings) -> Keys:
    from engine.service.keys import Keys

    return Keys(settings.keys_path)


def _missing(error: ModuleNotFoundError) -> TtpscribeError:
    if error.name is None or error.name.split(".")[0] not in NEEDS:
        raise error  # a fault of this package, not of the installation
    return ServiceError(
        f"The service needs the package '{error.name}', which is not installed. Install it: "
        "pip install 'ttpscribe[service]'"
    )
