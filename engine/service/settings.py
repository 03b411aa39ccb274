"""What the admin sets: environment variables ``TTPSCRIBE_SERVICE_*`` first, then ``config.yml``.

The table in ``docs/service.md`` is made from this class by ``python -m engine.service.reference``.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import SettingsConfigDict

from engine.errors import UsageError
from engine.paths import data_directory
from engine.section import Names, Section

PREFIX = "TTPSCRIBE_SERVICE_"
CONFIG = "TTPSCRIBE_CONFIG"
SECTION = "service"
MEGABYTE = 1_000_000


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class ServiceSettings(Section):
    """The engine service."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Other than loopback needs keys.",
    )
    port: int = Field(8321, ge=0, le=65535, description="Port to listen on; 0: any free one.")
    keys_file: Path | None = Field(
        None,
        description=(
            "File of the API keys, written by `ttpscribe serve keys`. Without one `keys.json` in "
            "the data directory."
        ),
    )
    allow_anyone: bool = Field(
        False,
        description=(
            "Listen on other than loopback without keys, for anyone who reaches the port. For "
            "networks that check callers themselves."
        ),
    )
    open_metrics: bool = Field(False, description="Give `/metrics` without a key.")
    allowed_hosts: Names = Field(
        (),
        description=(
            "Names by which clients may call the service (the Host header). Without any: every "
            "name where there are keys, else only those of loopback."
        ),
    )
    tls_cert: Path | None = Field(None, description="Certificate chain, PEM. With it, only HTTPS.")
    tls_key: Path | None = Field(None, description="Its private key, PEM.")
    tls_min_version: Literal["1.2", "1.3"] = Field("1.2", description="Lowest version of TLS.")
    max_request_mb: float = Field(
        50, gt=0, le=1000, description="Largest request (MB); a larger one is refused with 413."
    )
    max_held_mb: float = Field(
        500,
        gt=0,
        description="Requests of all clients that are held at the same time (MB); what would be "
        "over it is refused with 429.",
    )
    max_text_chars: int = Field(
        1_000_000,
        ge=1000,
        description="Longest text; a longer file or text is cut there, with a warning.",
    )
    max_pages: int = Field(2_000, ge=1, description="Pages of a file beyond this are left out.")
    parse_seconds: float = Field(60, gt=0, description="Time to parse one file (s).")
    parse_memory_mb: int = Field(2_048, ge=256, description="Memory to parse one file (MiB).")
    receive_seconds: float = Field(
        30, gt=0, description="Time in which a client must have sent its request (s)."
    )
    deadline_seconds: float = Field(
        120, gt=0, description="Time for one answer, waiting included (s); then 503."
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Requests worked on at the same time. 0: one more than there are cores.",
    )
    cores: int = Field(0, ge=0, le=256, description="Threads of the encoder. 0: one for each core.")
    queue: int = Field(
        64, ge=0, le=10_000, description="Requests that may wait; one more is refused with 429."
    )
    keep_mb: float = Field(
        64,
        ge=0,
        description="Memory for what the encoder made of recent texts (MB), so that the same "
        "text asked for again costs little.",
    )
    drain_seconds: float = Field(
        30, ge=0, description="Time for running requests to end after SIGTERM (s)."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = (
        Field("info", description="How much to log.")
    )

    @property
    def keys_path(self) -> Path:
        """Where the keys are."""
        return self.keys_file or data_directory() / "keys.json"

    @property
    def max_request_bytes(self) -> int:
        """The largest request, in bytes."""
        return int(self.max_request_mb * MEGABYTE)

    @property
    def max_held_bytes(self) -> int:
        """How much of all requests is held at the same time, in bytes."""
        return int(self.max_held_mb * MEGABYTE)

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def load(path: Path | None = None, **given: Any) -> ServiceSettings:
    """Read the settings.

    Parameters
    ----------
    path : Path, optional
        A config.yml; without one ``TTPSCRIBE_CONFIG`` or ``config.yml`` in the working directory,
        where there is one. Its section ``service`` counts.
    **given
        What the command line says; it goes before all else.

    Raises
    ------
    UsageError
        If the file cannot be read, or a value is wrong; it names all of them.
    """
    try:
        settings = ServiceSettings(**_section(path))
        return settings.model_copy(update=given)
    except ValidationError as error:
        faults = [
            f"{PREFIX}{key.upper()} ({SECTION}: {key} in config.yml): {fault['msg']}"
            for fault in error.errors(include_url=False)
            for key in [".".join(map(str, fault["loc"])) or SECTION]
        ]
        raise UsageError("The settings of the service are wrong:\n  " + "\n  ".join(faults)) from (
            None
        )


def _section(path: Path | None) -> dict[str, Any]:
    asked = path or (Path(os.environ[CONFIG]) if os.environ.get(CONFIG) else None)
    path = asked or Path("config.yml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if asked is None:
            return {}
        raise UsageError(f"There is no {path}: copy config.yml.sample to it.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    section = (content or {}).get(SECTION) if isinstance(content or {}, dict) else None
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise UsageError(f"'{SECTION}:' in {path} must hold settings, such as 'port: 8321'.")
    return {str(key): value for key, value in section.items() if value is not None}
