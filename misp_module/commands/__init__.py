"""``ttpscribe misp``: the modules in MISP, and events enriched from the command line."""

import click

from engine.commands.lazy import LazyGroup, from_path

EXAMPLES = """\b
Examples:
  ttpscribe misp install --root /opt/misp-modules-custom
  ttpscribe misp check --root /opt/misp-modules-custom
  ttpscribe misp enrich 1742
  ttpscribe misp backfill --since 30d --limit 100
  ttpscribe misp harvest
"""


@click.command(
    cls=LazyGroup,
    epilog=EXAMPLES,
    loaders={
        "install": from_path("misp_module.commands.install:install"),
        "check": from_path("misp_module.commands.check:check"),
        "enrich": from_path("misp_module.commands.enrich:enrich"),
        "backfill": from_path("misp_module.commands.enrich:backfill"),
        "harvest": from_path("misp_module.commands.harvest:harvest"),
    },
)
def misp() -> None:
    """Install and check the MISP modules; enrich events, and learn what analysts corrected."""


__all__ = ["misp"]
