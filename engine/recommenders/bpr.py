"""BPR: Bayesian personalised ranking, with fold-in of new reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from engine.recommenders.base import Matrix, RecommenderSettings
from engine.recommenders.devices import Device, repeatable, torch_device
from engine.recommenders.pairwise import PairwiseModel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class BprSettings(RecommenderSettings):
    """Settings of ``Bpr``."""

    factors: int = Field(default=32, gt=0, le=512, description="Dimension of the factors.")
    l2: float = Field(default=0.02, ge=0, description="Regularisation of the factors in a pair.")
    fold_in_l2: float = Field(
        default=0.01, gt=0, description="Regularisation of the factors of a new report."
    )
    epochs: int = Field(
        default=60, gt=0, description="Each draws as many pairs as there are cells."
    )
    batch: int = Field(default=2048, gt=0, description="Pairs a step.")
    learning_rate: float = Field(default=0.02, gt=0, description="Of Adam.")
    seed: int = Field(default=0, ge=0, description="Of the factors to begin with and of the pairs.")
    device: Device = Field(
        default="auto", description="Where to fit; auto takes a GPU if there is one."
    )


class Bpr(PairwiseModel[BprSettings]):
    """Learns to rank an observed technique of a report before one that is not.

    Draws an observed cell in proportion to its row's importance and an unobserved technique of
    the same row at random, and descends on -log sigmoid(score difference).

    O(epochs nnz factors) time, O((n_rows + n_techniques) factors + nnz) memory.

    References
    ----------
    S. Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009,
    https://arxiv.org/abs/1205.2618
    """

    name = "bpr"
    settings_type = BprSettings

    @repeatable
    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        import torch

        settings = self.settings
        device = torch_device(settings.device)
        generator = torch.Generator().manual_seed(settings.seed)
        cells = X.tocoo()
        row = torch.from_numpy(cells.row.astype(np.int64))
        column = torch.from_numpy(cells.col.astype(np.int64))
        n_techniques = X.shape[1]
        taken = (row * n_techniques + column).sort().values
        draw = torch.from_numpy(matrix.importance.astype(np.float64))[row].cumsum(0)
        U, V = (
            (torch.randn((size, settings.factors), generator=generator) * 0.1)
            .to(device)
            .requires_grad_()
            for size in X.shape
        )
        bias = torch.zeros(n_techniques, device=device, requires_grad=True)
        optimizer = torch.optim.Adam([U, V, bias], lr=settings.learning_rate)
        steps = settings.epochs * -(-len(row) // settings.batch)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
        size = min(settings.batch, len(row))
        for _ in range(steps):
            chance = torch.rand(size, generator=generator, dtype=torch.float64) * draw[-1]
            cell = torch.searchsorted(draw, chance).clamp(max=len(row) - 1)
            other = torch.randint(n_techniques, (size,), generator=generator)
            key = row[cell] * n_techniques + other
            found = torch.searchsorted(taken, key).clamp(max=len(taken) - 1)
            # A pair of two observed techniques says nothing.
            usable = taken[found] != key
            if not bool(usable.any()):
                continue
            u = U[row[cell][usable].to(device)]
            i, j = column[cell][usable].to(device), other[usable].to(device)
            margin = (u * (V[i] - V[j])).sum(dim=1) + bias[i] - bias[j]
            length = (u**2).sum(dim=1) + (V[i] ** 2).sum(dim=1) + (V[j] ** 2).sum(dim=1)
            loss = (-torch.nn.functional.logsigmoid(margin) + 0.5 * settings.l2 * length).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        self.user_factors_ = U.detach().cpu().numpy()
        self.item_factors_ = V.detach().cpu().numpy()
        self.item_bias_ = bias.detach().cpu().numpy()

    def _fold_in_l2(self) -> float:
        return self.settings.fold_in_l2
