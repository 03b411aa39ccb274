"""``ttpscribe train``: one subcommand a model."""

from __future__ import annotations

from engine.commands.lazy import LazyGroup, from_path

train = LazyGroup(
    name="train",
    help="Train models and make releases of them.",
    loaders={
        "card": from_path("training.commands.card:card"),
        "evaluate": from_path("training.commands.evaluate:evaluate"),
        "svc": from_path("training.commands.svc:svc"),
        "encoder": from_path("training.commands.encoder:encoder"),
        "nightly": from_path("training.commands.nightly:nightly"),
        "schedule": from_path("training.commands.nightly:schedule"),
        "recommenders": from_path("training.commands.recommenders:recommenders"),
        "release": from_path("training.commands.release:release"),
    },
)
