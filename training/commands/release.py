"""``ttpscribe train release``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from training.commands.options import data_option, progress_bars, read_labels, without_option

SETTINGS = "settings.json"
REPORT = "-report.json"
RECOMMENDERS = "recommenders.json"


@click.command(
    epilog="Example: ttpscribe train release --data reports/ --part trained/svc "
    "--part trained/encoder --part trained/recommenders --output releases/2026-11"
)
@data_option
@without_option
@click.option(
    "--part",
    "parts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    required=True,
    help="Output of 'train svc', 'train encoder' or 'train recommenders'; may be repeated.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The release's directory; its last part becomes the release's name.",
)
@click.option("--default-recommender", metavar="NAME", help="Which one infers by default.")
@click.option(
    "--created",
    type=click.DateTime(),
    help="Date in the manifest (UTC); give it to get the same bytes again.",
)
@click.option("--publish", is_flag=True, help="Also put the release into the store.")
def release(
    paths: tuple[Path, ...],
    left_out: tuple[str, ...],
    parts: tuple[Path, ...],
    output: Path,
    default_recommender: str | None,
    created: datetime | None,
    publish: bool,
) -> None:
    """Join trained parts into a release.

    Fits the fusion on the recognizers' out-of-fold scores, chooses the operating points, and
    writes the manifest, and beside the release its card. Give the data that the parts were
    trained on.
    """
    from engine.knowledge import Knowledge
    from engine.releases import ReleaseStore
    from training.assemble import assemble, fit, gather
    from training.card import CardInput, write_card
    from training.commands.figures import print_figures
    from training.fusion import FusionSettings

    knowledge = Knowledge.load()
    labels = read_labels(paths, left_out, knowledge)
    settings = FusionSettings()
    recommenders = _settings_of(parts, "recommenders")
    if default_recommender is None and recommenders:
        default_recommender = "hybrid" if "hybrid" in recommenders else sorted(recommenders)[0]
    with progress_bars() as steps:
        fitted = fit(labels, gather(parts), knowledge, settings, steps=steps)
        made = assemble(
            output,
            parts,
            fitted,
            labels,
            knowledge,
            settings,
            (created or datetime.now(UTC)).replace(tzinfo=UTC, microsecond=0),
            _settings_of(parts, "recognizers"),
            recommenders,
            default_recommender,
            _reports(parts),
        )
    page, _ = write_card(CardInput(release=made), knowledge, output.parent)
    if publish:
        ReleaseStore().publish(output)
        page, _ = write_card(CardInput(release=made), knowledge)
    print_figures(made.manifest.figures)
    click.echo(f"{output}: {sum(made.manifest.sizes.values()) / 1e6:.1f} MB")
    click.echo(f"Its card: {page}")


def _settings_of(parts: tuple[Path, ...], kind: str) -> dict[str, dict[str, Any]]:
    """Return, by name, the settings beside each trained recognizer or recommender."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for folder in sorted((part / kind).glob("*")):
            file = part / f"{folder.name}-{SETTINGS}"
            found[folder.name] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def _reports(parts: tuple[Path, ...]) -> dict[str, Any]:
    """Return the figures that the trainers wrote beside their models, by part."""
    found = {
        path.name.removesuffix(REPORT): json.loads(path.read_text("utf-8"))
        for part in parts
        for path in sorted(part.glob(f"*{REPORT}"))
    }
    for part in parts:
        file = part / RECOMMENDERS
        if file.is_file():
            described = json.loads(file.read_text("utf-8"))
            found["recommenders"] = {
                "data_hash": described["data_hash"],
                "rows": described["rows"],
                **described["figures"],
            }
    return found
