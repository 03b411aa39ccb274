"""``ttpscribe train card``."""

from __future__ import annotations

from pathlib import Path

import click

from training.commands.options import without_option

EXAMPLES = """\b
Examples:
  ttpscribe train card
  ttpscribe train card 2026-11 --output /srv/www/cards
  ttpscribe train card ./releases/2026-12 --data labels/ --part trained/svc --part trained/encoder
"""


@click.command(epilog=EXAMPLES)
@click.argument("release", required=False)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory to write to; without one where 'releases show --card' looks.",
)
@click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="With --part: the labelled text that the parts were trained on; may be repeated.",
)
@without_option
@click.option(
    "--part",
    "parts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="Measure again from the output of 'train svc' or 'train encoder'; may be repeated.",
)
def card(
    release: str | None,
    output: Path | None,
    paths: tuple[Path, ...],
    left_out: tuple[str, ...],
    parts: tuple[Path, ...],
) -> None:
    """Write the card of a RELEASE: one HTML page with plots, and the same as JSON.

    RELEASE is a name, or a directory (with a slash in it); without one, the release in use. The
    card holds what the release itself knows, and what an earlier card of it knew: the gate's
    decision, changes, drift. A release made before releases kept their curves needs --part and
    --data for the plots of precision, recall, reliability and single techniques.
    """
    from engine.errors import UsageError
    from engine.knowledge import Knowledge
    from engine.releases import ReleaseStore
    from training.card import CardInput, Measured, measure, with_earlier, write_card

    if bool(parts) != bool(paths):
        raise UsageError("--part and --data belong together: give both, or neither.")
    store = ReleaseStore()
    opened = store.open(release or store.champion_name())
    knowledge = Knowledge.load()
    measured: Measured | None = None
    if parts:
        from training.assemble import UNTRAINED, fit, gather
        from training.commands.options import progress_bars, read_labels
        from training.fusion import FusionSettings

        settings = FusionSettings()
        labels = read_labels(paths, left_out, knowledge)
        with progress_bars() as steps:
            fitted = fit(labels, gather(parts), knowledge, settings, steps=steps)
        if missing := set(fitted.recognizers) ^ (set(opened.manifest.recognizers) - {*UNTRAINED}):
            raise UsageError(
                f"The release and the parts differ in: {', '.join(sorted(missing))}. Give the "
                "parts that the release was made of."
            )
        measured = measure(fitted.held, settings)
    given = with_earlier(CardInput(release=opened, measured=measured), output)
    for path in write_card(given, knowledge, output):
        click.echo(path)
