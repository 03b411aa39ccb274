"""What counts as a verdict, and whose: environment variables ``TTPSCRIBE_MISP_*``."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.errors import UsageError
from engine.section import Names
from misp_module.settings import PREFIX, told
from misp_module.tlp import TlpSetting

SIGNS: Final = ("review", "workflow", "published", "analysis")


def _signs(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        for sign in value.split("+"):
            if sign not in SIGNS:
                raise ValueError(f"'{sign}' is none of {', '.join(SIGNS)}, joined by + or commas")
    return values


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"'{value}' is no time zone: write it as in Europe/Brussels") from error
    return value


class HarvestSettings(BaseSettings):
    """The harvester's settings.

    Attributes
    ----------
    curated_when : tuple of str
        What makes an event count as curated, each of them enough: ``review`` (a review level of
        people), ``workflow`` (its state is complete), ``published``, ``analysis`` (completed); with
        ``+`` several that must come together.
    curated_orgs : tuple of str
        Whose events may count as curated: ``own`` (the organisation of ttpscribe's user), ``all``,
        or names and uuids of organisations.
    bots : tuple of str
        Users whose edits are no verdicts: e-mail addresses, numbers, or ``key:`` and the number of
        an automation key.
    mass : int
        More techniques than this, put on one event or taken off it between two looks, are an
        import or a clean-up.
    max_tlp : str
        Events marked above this are neither read nor learned from.
    time_zone : str
        In which MISP's server writes the times of its audit log and of opinions.
    watch_days : int
        Without the right to read the audit log: for how many days after an enrichment an event is
        looked at again each time, as the removal of a local tag does not show elsewhere.
    review_tag : str
        The local tag for events of the review queue.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    curated_when: Annotated[Names, AfterValidator(_signs)] = (
        "review",
        "workflow",
        "published+analysis",
    )
    curated_orgs: Names = ("own",)
    bots: Names = ()
    mass: Annotated[int, Field(ge=1)] = 15
    max_tlp: TlpSetting = "TLP:AMBER+STRICT"
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    watch_days: Annotated[int, Field(ge=0)] = 30
    review_tag: Annotated[str, Field(min_length=1)] = "ttpscribe:review"

    @property
    def zone(self) -> ZoneInfo:
        """``time_zone`` as one."""
        return ZoneInfo(self.time_zone)


@cache
def load() -> HarvestSettings:
    """Read the environment, once.

    Raises
    ------
    UsageError
        If a variable has a value of the wrong kind.
    """
    try:
        return HarvestSettings()
    except ValidationError as error:
        raise UsageError(f"The environment has a wrong value. {told(error, PREFIX)}") from error
