"""Settings of the nightly."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from training.adapt.settings import AdaptSettings
from training.gate.settings import GateSettings
from training.labels.verdicts.settings import VerdictSettings
from training.svc.settings import SvcSettings


class NightlySettings(BaseModel):
    """What a night does.

    Attributes
    ----------
    data : tuple of Path
        Labelled text to train from anew, beside the verdicts; without any the champion is adapted
        and nothing else.
    part : Path or None
        Output of ``train encoder --cross-validate`` on that data; without it a release trained
        anew has no encoder.
    checkpoint : Path or None
        Encoder to warm-start from, a Hugging Face directory that was kept.
    encoder : {"never", "weekly", "nightly"}
        How often an encoder is trained from the checkpoint.
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
    encoder: Literal["never", "weekly", "nightly"] = "weekly"
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
