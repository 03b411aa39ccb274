"""Settings of the nightly."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from training.adapt.settings import AdaptSettings
from training.encoder.settings import EncoderTrainingSettings
from training.gate.settings import GateSettings
from training.labels.verdicts.settings import VerdictSettings
from training.svc.settings import SvcSettings

# One epoch of each stage; a kept encoder leaves out the first.
DEFAULTS = EncoderTrainingSettings()
WARM = DEFAULTS.model_copy(
    update={
        "texts": DEFAULTS.texts.model_copy(update={"epochs": 1}),
        "sentences": DEFAULTS.sentences.model_copy(update={"epochs": 1}),
        "negatives": 3000,
    }
)


class NightlySettings(BaseModel):
    """What a night does.

    Attributes
    ----------
    data : tuple of Path
        Labelled text to train from anew, beside the verdicts; without any the champion is adapted
        and nothing else.
    part : Path or None
        Output of ``train encoder --cross-validate`` on that data: an encoder to use as it is.
    checkpoint : Path or None
        An encoder to train: what ``train encoder`` kept, or a Hugging Face directory.
    encoder : {"never", "enough", "weekly", "nightly"}
        When an encoder is trained from the checkpoint: never; when enough verdicts are new; then,
        and when a week has gone by; whenever a verdict is new. The last one trained is used
        otherwise.
    encoder_verdicts : int
        So many verdicts that the encoder has not learned from are enough.
    go_on : bool
        Go on from the encoder that was trained last rather than from the checkpoint again.
    encoder_training : EncoderTrainingSettings
        Of that training; its base is the checkpoint.
    test : tuple of Path
        Labelled documents that no release has learned from, for the gate.
    rounds : int
        Rounds of training anew. Each after the first chooses again which sentences show the
        techniques of judged reports, by what the round before has learned. With more than 50,000
        sentences of judged reports there is one.
    harvest : bool
        Ask the platforms first.
    dry_run : bool
        Decide, and publish nothing.
    budget_minutes : float or None
        The night stops after so long; the next call goes on.
    resume_hours : float
        A night that was broken off longer ago is begun anew.
    keep : int
        So many runs and label sets are kept.
    verdicts, adapt, gate, svc
        Settings of the steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: tuple[Path, ...] = ()
    part: Path | None = None
    checkpoint: Path | None = None
    encoder: Literal["never", "enough", "weekly", "nightly"] = "weekly"
    encoder_verdicts: int = Field(default=200, ge=1)
    go_on: bool = False
    encoder_training: EncoderTrainingSettings = WARM
    test: tuple[Path, ...] = ()
    rounds: int = Field(default=2, ge=1, le=9)
    harvest: bool = True
    dry_run: bool = False
    budget_minutes: float | None = Field(default=None, gt=0)
    resume_hours: float = Field(default=36.0, gt=0)
    keep: int = Field(default=10, ge=2)
    verdicts: VerdictSettings = VerdictSettings()
    adapt: AdaptSettings = AdaptSettings()
    gate: GateSettings = GateSettings()
    svc: SvcSettings = SvcSettings()
