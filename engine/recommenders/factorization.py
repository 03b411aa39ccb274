"""Matrix factorization by gradient descent: squared loss with gravity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.recommenders.base import Matrix, WeightedSettings
from engine.recommenders.devices import Device, repeatable, torch_device
from engine.recommenders.least_squares import LeastSquaresModel
from engine.recommenders.model import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class FactorizationSettings(WeightedSettings):
    """Settings of ``Factorization``."""

    factors: int = Field(default=16, gt=0, le=512, description="Dimension of the factors.")
    l2: float = Field(
        default=0.01, gt=0, description="Regularisation: mean squared length of the factors."
    )
    gravity: float = Field(
        default=5.0,
        ge=0,
        description="Draws all predictions, so mostly unobserved ones, towards zero.",
    )
    epochs: int = Field(
        default=300, gt=0, description="Steps of gradient descent over the whole matrix."
    )
    learning_rate: float = Field(default=0.05, gt=0, description="Of Adam.")
    seed: int = Field(default=0, ge=0, description="Of the factors to begin with.")
    device: Device = Field(
        default="auto", description="Where to fit; auto takes a GPU if there is one."
    )


class Factorization(LeastSquaresModel[FactorizationSettings]):
    """Factorises by descent on squared loss, regularisation and gravity.

    Minimises mean over observed (w_ui - u_u v_i)^2 + l2 (mean |u|^2 + mean |v|^2)
    + gravity mean over all (u_u v_i)^2. The last mean is the trace of (U'U)(V'V), so no step
    ever builds the whole matrix. The loss is quadratic in one report's factors: a new report is
    folded in exactly.

    O(epochs (nnz + (n_rows + n_techniques) factors) factors) time, O((n_rows + n_techniques +
    nnz) factors) memory.

    Attributes
    ----------
    scale_ : ndarray of float32, shape (1,)
        Rows over observed cells, which weighs one cell in the loss of one report.

    References
    ----------
    N. Srebro and T. Jaakkola, "Weighted Low-Rank Approximations", ICML 2003; the gravity term as
    in W. Krichene et al., "Efficient Training on Very Large Corpora via Gramian Estimation",
    ICLR 2019, https://arxiv.org/abs/1807.07187
    """

    name = "factorization"
    settings_type = FactorizationSettings
    learned: ClassVar = {**LeastSquaresModel.learned, "scale_": np.float32}

    scale_: NDArray[np.float32]

    @repeatable
    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        import torch

        settings = self.settings
        device = torch_device(settings.device)
        generator = torch.Generator().manual_seed(settings.seed)
        cells = X.tocoo()
        row = torch.from_numpy(cells.row.astype(np.int64)).to(device)
        column = torch.from_numpy(cells.col.astype(np.int64)).to(device)
        value = torch.from_numpy(cells.data).to(device)
        importance = torch.from_numpy(matrix.importance).to(device)
        total = importance.sum()
        observed = importance[row].sum()
        spread = 0.5 / settings.factors**0.5
        U, V = (
            (torch.randn((size, settings.factors), generator=generator) * spread)
            .to(device)
            .requires_grad_()
            for size in X.shape
        )
        optimizer = torch.optim.Adam([U, V], lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
        for _ in range(settings.epochs):
            predicted = (U[row] * V[column]).sum(dim=1)
            loss = (importance[row] * (value - predicted) ** 2).sum() / observed
            weighted = U * importance[:, None]
            gravity = ((weighted.T @ U) * (V.T @ V)).sum() / (total * len(V))
            length = (weighted * U).sum() / total + (V**2).sum() / len(V)
            loss = loss + settings.gravity * gravity + settings.l2 * length
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        self.user_factors_ = U.detach().cpu().numpy()
        self.item_factors_ = V.detach().cpu().numpy()
        self.scale_ = np.array([float(total / observed)], dtype=np.float32)

    def _terms(self, weights: Floats) -> tuple[Floats, Floats]:
        scale = np.full_like(weights, self.scale_[0])
        return scale, scale * weights

    def _regularisation(self) -> tuple[float, float]:
        return self.settings.gravity / len(self.techniques_), self.settings.l2

    def _check(self) -> None:
        super()._check()
        if self.scale_.shape != (1,):
            raise ValueError(f"scale of shape {self.scale_.shape}")
