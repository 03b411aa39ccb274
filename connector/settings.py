"""What the admin sets: environment variables first, then ``config.yml``.

The variables of OpenCTI and of connectors have their usual names; ours begin with
``TTPSCRIBE_``. ``config.yml.sample``, the table in ``docs/opencti.md`` and the JSON schema in
``__metadata__`` are made from these classes by ``connector.reference``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_args

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    NoDecode,
    SettingsConfigDict,
)

from connector.errors import SettingsError
from connector.harvest_settings import HarvestSettings
from connector.kinds import KINDS
from connector.placeholder import PLACEHOLDER, chosen
from engine.secret_files import with_secret
from engine.section import Names, Section, split

CONFIG = "TTPSCRIBE_CONFIG"
DEFAULT_ID = "5c0c4a1e-7a44-4c52-9f0b-2b6a2f0f7a7e"

Tlp = Literal["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]
Part = Literal["description", "content", "files"]
FileType = Literal["pdf", "docx", "html", "markdown", "text"]


def _upper(value: object) -> object:
    value = value.strip().upper() if isinstance(value, str) else value
    return "TLP:CLEAR" if value == "TLP:WHITE" else value


def _known_kinds(value: tuple[str, ...]) -> tuple[str, ...]:
    names = {kind.casefold(): kind for kind in KINDS}
    unknown = [each for each in value if each.casefold() not in names]
    if unknown or not value:
        raise ValueError(f"choose from {', '.join(KINDS)}")
    return tuple(names[each.casefold()] for each in value)


class OpenCTISettings(Section):
    """The platform."""

    model_config = SettingsConfigDict(env_prefix="OPENCTI_")

    url: HttpUrl = Field(description="Address of the OpenCTI platform.")
    token: Annotated[
        SecretStr, AfterValidator(lambda value: SecretStr(chosen(value.get_secret_value())))
    ] = Field(description="API token of the connector's own user.")
    ssl_verify: bool = Field(True, description="Check the platform's TLS certificate.")
    json_logging: bool = Field(True, description="Write log lines as JSON.")


class ConnectorSettings(Section):
    """The connector, as OpenCTI knows it."""

    model_config = SettingsConfigDict(env_prefix="CONNECTOR_")

    id: str = Field(
        DEFAULT_ID,
        description=(
            "Unique id of this connector, a UUID. Several processes with the same id share one "
            "queue."
        ),
    )
    name: str = Field("ttpscribe", description="Name shown in OpenCTI.")
    scope: Annotated[Names, AfterValidator(_known_kinds)] = Field(
        ("Report",), description=f"Types of object to enrich: {', '.join(KINDS)}."
    )
    auto: bool = Field(False, description="Enrich every new object of the scope by itself.")
    auto_update: bool = Field(
        False,
        description=("Look again when an object changes. What was already read is not read twice."),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much to log."
    )
    validate_before_import: bool = Field(
        False, description=("Put the results into a draft, for an analyst to approve.")
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        value = value.strip().lower() if isinstance(value, str) else value
        return "warning" if value == "warn" else value


class TtpscribeSettings(Section):
    """What to read, how sure to be, and what to write."""

    model_config = SettingsConfigDict(env_prefix="TTPSCRIBE_")

    operating_point: Literal["precise", "balanced", "sensitive"] = Field(
        "balanced",
        description=(
            "How sure to be before a technique is written; `ttpscribe releases show` tells "
            "what each means in precision and recall."
        ),
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description=(
            "A probability from which techniques are written, in place of the operating point's."
        ),
    )
    max_tlp: Annotated[Tlp, BeforeValidator(_upper)] = Field(
        "TLP:AMBER+STRICT", description=("Objects and files marked above this are not read.")
    )
    read: Annotated[tuple[Part, ...], NoDecode, BeforeValidator(split)] = Field(
        ("description", "content", "files"),
        description=("What to read: description, content (the rich text), files."),
    )
    file_types: Annotated[tuple[FileType, ...], NoDecode, BeforeValidator(split)] = Field(
        get_args(FileType), description="Attached files to read, by type."
    )
    max_file_mb: int = Field(50, gt=0, description="Larger files are not fetched (MB).")
    write_refs: bool = Field(True, description="Refer to the techniques in the report.")
    write_relationships: bool = Field(
        True, description=("Write 'uses' relationships from the threat that a sentence speaks of.")
    )
    write_note: bool = Field(True, description="Write the note with the evidence.")
    write_html: bool = Field(True, description="Attach the annotated text as HTML.")
    write_navigator: bool = Field(True, description="Attach an ATT&CK Navigator layer.")
    inferences: Literal["note", "relationships", "off"] = Field(
        "note",
        description=(
            "Techniques that the text does not show but that are likely given it: in the note and "
            "the layer, also as relationships marked as inferred, or not at all."
        ),
    )
    max_inferences: int = Field(10, ge=1, le=50, description="How many of them at most.")
    label: str | None = Field(None, description="A label to put on enriched objects.")
    read_back_timeout: float = Field(
        30,
        ge=0,
        le=3600,
        description=(
            "Seconds to wait for the import, to tell what the platform dropped. 0: do not wait."
        ),
    )
    retries: int = Field(
        5,
        ge=0,
        le=20,
        description=(
            "How often a request to OpenCTI is tried again, at growing intervals from half a "
            "second on."
        ),
    )
    request_timeout: float = Field(60, gt=0, description="Seconds to wait for one answer.")
    lease: float = Field(
        20,
        ge=1,
        le=3600,
        description=(
            "Seconds without a sign of life after which a process counts as dead, and another one "
            "takes over what it had begun."
        ),
    )
    engine_url: HttpUrl | None = Field(
        None,
        description=(
            "Address of an engine service (`ttpscribe serve`) that analyses in place of this "
            "process."
        ),
    )
    engine_key: SecretStr | None = Field(None, description="API key of the engine service.")
    engine_key_file: Path | None = Field(
        None, description="A file that holds that key, read at each request."
    )
    engine_ca_file: Path | None = Field(
        None,
        description="Certificates to trust, where the engine's is of a private authority (PEM).",
    )
    engine_timeout: float = Field(
        150, gt=0, le=3600, description="Seconds to wait for one answer of the engine service."
    )
    ledger_url: SecretStr | None = Field(
        None,
        description=(
            "Where the ledger is: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. "
            "Without one a file in the data directory. Several processes on several machines "
            "need PostgreSQL."
        ),
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="A port for `/metrics` (Prometheus) and `/health`. Without one there is none.",
    )
    metrics_host: str = Field("127.0.0.1", description="The address of that port.")


class Settings:
    """All sections, and what else config.yml holds for pycti (``mq`` and others)."""

    def __init__(
        self,
        opencti: OpenCTISettings,
        connector: ConnectorSettings,
        ttpscribe: TtpscribeSettings,
        file: dict[str, Any] | None = None,
        harvest: HarvestSettings | None = None,
    ) -> None:
        self.opencti = opencti
        self.connector = connector
        self.ttpscribe = ttpscribe
        self.harvest: HarvestSettings = harvest or cast(Any, HarvestSettings)()
        self.file = file or {}

    @staticmethod
    def configured(path: Path | None = None) -> bool:
        """Tell whether anybody has set OpenCTI's address or token here."""
        given = _read(path).get("opencti") or {}
        return any(
            os.environ.get(variable) or given.get(key) not in (None, "", PLACEHOLDER)
            for variable, key in (("OPENCTI_URL", "url"), ("OPENCTI_TOKEN", "token"))
        )

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the settings.

        Parameters
        ----------
        path : Path, optional
            A config.yml; without one, ``TTPSCRIBE_CONFIG`` or ``config.yml`` in the working
            directory, where there is one.

        Raises
        ------
        SettingsError
            If the file cannot be read, or a value is missing or wrong; it names all of them.
        """
        file = _read(path)
        _refuse_unknown(file)
        faults: list[str] = []
        given = {"opencti": with_secret(file.get("opencti"), "token", "OPENCTI_TOKEN")}
        opencti = _section(OpenCTISettings, given, "opencti", faults)
        connector = _section(ConnectorSettings, file, "connector", faults)
        ttpscribe = _section(TtpscribeSettings, file, "ttpscribe", faults)
        harvest = _section(HarvestSettings, file, "harvest", faults)
        if faults or opencti is None or connector is None or ttpscribe is None:
            raise SettingsError("The settings are not complete:\n  " + "\n  ".join(faults))
        return cls(opencti, connector, ttpscribe, file, harvest)

    def for_pycti(self) -> dict[str, Any]:
        """Return the configuration that pycti's helper takes."""
        opencti = self.opencti.model_dump(mode="json")
        opencti |= {
            "url": str(self.opencti.url).rstrip("/"),
            "token": self.opencti.token.get_secret_value(),
        }
        connector = self.connector.model_dump(mode="json")
        connector |= {"type": "INTERNAL_ENRICHMENT", "scope": ",".join(self.connector.scope)}
        return {
            **self.file,
            "opencti": {**(self.file.get("opencti") or {}), **opencti},
            "connector": {**(self.file.get("connector") or {}), **connector},
        }


def _section(kind: type[Any], file: dict[str, Any], name: str, faults: list[str]) -> Any:
    try:
        return kind(**(file.get(name) or {}))
    except ValidationError as error:
        prefix = kind.model_config["env_prefix"]
        for each in error.errors():
            key = str(each["loc"][0]) if each["loc"] else name
            said = "it is missing" if each["type"] == "missing" else each["msg"]
            faults.append(
                f"{prefix}{key.upper()} ({name}: {key} in config.yml): "
                f"{said.removeprefix('Value error, ')}"
            )
        return None


def _read(path: Path | None) -> dict[str, Any]:
    asked = path or (Path(os.environ[CONFIG]) if os.environ.get(CONFIG) else None)
    path = asked or Path("config.yml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if asked is None:
            return {}
        raise SettingsError(f"There is no {path}: copy config.yml.sample to it.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    content = content or {}
    if not isinstance(content, dict) or any(
        not isinstance(each, dict | None) for each in content.values()
    ):
        raise SettingsError(f"{path} must have sections such as 'opencti:', each with values.")
    return content


def _refuse_unknown(file: dict[str, Any]) -> None:
    # pycti reads further keys of `opencti`, `connector` and `mq`; these two are ours alone.
    for name, kind in (("ttpscribe", TtpscribeSettings), ("harvest", HarvestSettings)):
        unknown = set(file.get(name) or {}) - set(kind.model_fields)
        if unknown:
            raise SettingsError(
                f"There is no setting '{name}: {sorted(unknown)[0]}'. "
                f"Choose from: {', '.join(kind.model_fields)}."
            )
