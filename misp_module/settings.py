"""What the admin sets: once for the worker (environment), and per module (MISP's plugin settings).

Secrets come from the environment or from a file only; MISP's plugin settings are shown to every
site admin and sent with every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from engine.errors import UsageError
from engine.section import split

PREFIX = "TTPSCRIBE_MISP_"
OperatingPoint = Literal["precise", "balanced", "sensitive"]


class Settings(BaseSettings):
    """The worker's own settings, from environment variables ``TTPSCRIBE_MISP_*``.

    Attributes
    ----------
    url : str or None
        The MISP instance, for exact tags, the commands and the workflow action.
    key, key_file : SecretStr, Path or None
        The key of ttpscribe's own user there, or a file that holds it.
    ca_file : Path or None
        Certificates to trust, where the instance's is of a private authority.
    modules_url : str
        The modules server, for ``ttpscribe misp check``.
    fetch_networks : tuple of networks
        Private networks that links may lead to; none by default.
    operating_point : str
        Where neither MISP's settings nor the user names one.
    engine_url : str or None
        An engine service (``ttpscribe serve``) that analyses in place of the worker.
    engine_key, engine_key_file : SecretStr, Path or None
        Its API key, or a file that holds it, read at each request.
    engine_ca_file : Path or None
        Certificates to trust, where the service's is of a private authority.
    engine_timeout : float
        Seconds to wait for one answer of it.
    tags_hours : float
        How long the instance's tag names are kept, in hours.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    url: str | None = None
    key: SecretStr | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    modules_url: str = "http://127.0.0.1:6666"
    fetch_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(split)
    ] = ()
    operating_point: OperatingPoint = "balanced"
    engine_url: str | None = None
    engine_key: SecretStr | None = None
    engine_key_file: Path | None = None
    engine_ca_file: Path | None = None
    engine_timeout: Annotated[float, Field(gt=0, le=240)] = 60.0
    tags_hours: Annotated[float, Field(gt=0)] = 24.0

    def secret(self) -> str | None:
        """Return the key, from whichever place holds it.

        Raises
        ------
        UsageError
            If the file that should hold it cannot be read.
        """
        if self.key is not None:
            return self.key.get_secret_value().strip() or None
        if self.key_file is None:
            return None
        try:
            return self.key_file.read_text(encoding="utf-8").strip() or None
        except OSError as error:
            raise UsageError(f"{PREFIX}KEY_FILE cannot be read: {error}.") from error


@cache
def load() -> Settings:
    """Read the environment, once.

    Raises
    ------
    UsageError
        If a variable has a value of the wrong kind.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise UsageError(f"The environment has a wrong value. {told(error, PREFIX)}") from error


def _flag(value: Any) -> Any:
    """Accept what MISP writes for a switch: 1, "1", "true", "on", and their opposites."""
    if isinstance(value, str):
        return value.strip().lower()
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]


class Options(BaseModel):
    """What one request asks for, of MISP's plugin settings and the user's choices.

    Attributes
    ----------
    operating_point : str
        ``precise``, ``balanced`` or ``sensitive``.
    inferences : bool
        Whether to list likely further techniques.
    event_report : bool
        Whether to return an event report.
    tag_event : bool
        Whether to tag the event too, not only the objects.
    local_tags : bool
        Whether tags stay on this instance.
    fetch_links : bool
        Whether links may be fetched.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    operating_point: OperatingPoint = "balanced"
    inferences: Flag = True
    event_report: Flag = True
    tag_event: Flag = False
    local_tags: Flag = False
    fetch_links: Flag = False

    @classmethod
    def parse(cls, config: Any, default_point: OperatingPoint = "balanced") -> Options:
        """Read ``config`` of a request; null and empty values mean the default.

        Raises
        ------
        UsageError
            If it is no mapping, or a value is of the wrong kind.
        """
        if config is None or config == []:  # PHP writes an empty mapping as a list
            config = {}
        if not isinstance(config, Mapping):
            raise UsageError("The request's config is no mapping: check the plugin settings.")
        given = {key: value for key, value in config.items() if value not in (None, "")}
        if isinstance(point := given.get("operating_point", default_point), str):
            given["operating_point"] = point.strip().lower()
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise UsageError(f"A setting of the module has a wrong value. {told(error)}") from error


def told(error: ValidationError, prefix: str = "") -> str:
    """Say which settings are wrong, without their values: one may be a secret."""
    return " ".join(
        f"{prefix}{'.'.join(map(str, fault['loc'])).upper() if prefix else fault['loc'][0]}: "
        f"{fault['msg']}."
        for fault in error.errors()
    )
