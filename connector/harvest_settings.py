"""What the admin sets for harvesting; a section of ``connector.settings``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from connector.placeholder import chosen
from engine.section import Names, Section


class HarvestSettings(Section):
    """Which edits are verdicts, and when a report counts as curated."""

    model_config = SettingsConfigDict(env_prefix="TTPSCRIBE_HARVEST_")

    statuses: Names = Field(
        ("ANALYZED", "CLOSED"),
        description="A report in one of these workflow statuses counts as curated.",
    )
    labels: Names = Field(
        ("ttpscribe:curated",),
        description="A report that carries one of these labels counts as curated.",
    )
    reviewers: Names = Field(
        (),
        description=(
            "Users, by name or id: a report that one of them changed after the enrichment counts "
            "as curated, an hour after the last change."
        ),
    )
    quiet_days: int = Field(
        14,
        ge=0,
        description=(
            "A report whose techniques a person changed by hand after the enrichment counts as "
            "curated when nothing changed for so many days. 0: never."
        ),
    )
    bots: Names = Field(
        (),
        description=(
            "Users, by name or id, whose edits are no verdicts, besides those of the registered "
            "connectors and of OpenCTI itself: feeds, scripts, synchronizations."
        ),
    )
    mass_edits: int = Field(
        50,
        ge=1,
        description=(
            "So many techniques added or removed by one user within a minute are an import, not "
            "verdicts."
        ),
    )
    since: date | None = Field(
        None,
        description=(
            "The first harvest looks at what changed since this day (2026-01-31). Without one, at "
            "everything."
        ),
    )
    delay: int = Field(
        30,
        ge=0,
        description=(
            "Changes of the last so many seconds wait for the next harvest: OpenCTI enters them "
            "in its history a little later."
        ),
    )
    overlap: int = Field(
        600,
        ge=0,
        description=(
            "Every harvest looks again at so many seconds before the last one's end, in case "
            "something came in late. Nothing is recorded twice."
        ),
    )
    review_label: Annotated[str, AfterValidator(chosen)] = Field(
        "ttpscribe:review", description="The label on reports whose verdicts would teach most."
    )
