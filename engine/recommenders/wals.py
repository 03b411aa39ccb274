"""WALS: weighted alternating least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from engine.recommenders.base import Matrix, WeightedSettings
from engine.recommenders.devices import Device, repeatable, torch_device
from engine.recommenders.least_squares import LeastSquaresModel
from engine.recommenders.model import Floats

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix

# Memory for the equations of the rows that are solved at once, in numbers.
CHUNK = 8_000_000


class WalsSettings(WeightedSettings):
    """Settings of ``Wals``."""

    factors: int = Field(default=8, gt=0, le=512, description="Dimension of the factors.")
    alpha: float = Field(
        default=6.0,
        ge=0,
        description="An observed technique of weight w has confidence 1 + alpha w; all others 1.",
    )
    l2: float = Field(default=40.0, gt=0, description="Regularisation of all factors.")
    epochs: int = Field(
        default=15, gt=0, description="Rounds of solving for reports, then techniques."
    )
    seed: int = Field(default=0, ge=0, description="Of the factors to begin with.")
    device: Device = Field(
        default="auto", description="Where to fit; auto takes a GPU if there is one."
    )


class Wals(LeastSquaresModel[WalsSettings]):
    """Factorises the matrix of zeros and ones, sure of the ones and unsure of the zeros.

    Minimises sum_ui c_ui (p_ui - u_u v_i)^2 + l2 (|U|^2 + |V|^2) with p_ui = 1 where observed
    and c_ui = 1 + alpha w_ui: U and V in turn, each row in closed form,
    u = (V'V + V'(C - I)V + l2 I)^-1 V'C p. The equations of all rows are built by one sparse
    product with the outer products v v' and solved in batches.

    O(epochs (nnz factors^2 + (n_rows + n_techniques) factors^3)) time; memory
    O((n_rows + n_techniques) factors) and a bounded buffer.

    References
    ----------
    Y. Hu, Y. Koren and C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets",
    ICDM 2008, https://doi.org/10.1109/ICDM.2008.22 (section 5 has the explanations).
    """

    name = "wals"
    settings_type = WalsSettings

    @repeatable
    def _fit(self, matrix: Matrix, X: csr_matrix) -> None:
        import torch

        settings = self.settings
        device = torch_device(settings.device)
        generator = torch.Generator().manual_seed(settings.seed)
        shape = (X.shape[1], settings.factors)
        V = torch.randn(shape, generator=generator).to(device) / settings.factors**0.5
        importance = torch.from_numpy(matrix.importance).to(device)
        rows, columns = X.tocsr(), X.T.tocsr()
        everything = torch.ones(X.shape[1], device=device)
        for _ in range(settings.epochs):
            U = self._solve(rows, V, everything)
            V = self._solve(columns, U, importance)
        self.user_factors_ = self._solve(rows, V, everything).cpu().numpy()
        self.item_factors_ = V.cpu().numpy()

    def _solve(self, X: csr_matrix, V: torch.Tensor, importance: torch.Tensor) -> torch.Tensor:
        """Solve for the factors of the rows of X, given those of its columns."""
        import torch

        k = V.shape[1]
        weighted = V * importance[:, None]
        gram = V.T @ weighted + self.settings.l2 * torch.eye(k, device=V.device)
        outer = (weighted[:, :, None] * V[:, None, :]).reshape(len(V), k * k)
        solved = torch.empty((X.shape[0], k), device=V.device)
        step = max(1, CHUNK // (k * k))
        for start in range(0, X.shape[0], step):
            part = X[start : start + step].tocoo()
            where = torch.from_numpy(np.stack([part.row, part.col]).astype(np.int64))
            extra = self.settings.alpha * torch.from_numpy(part.data)
            A = gram + (_sparse(where, extra, part.shape, V) @ outer).reshape(-1, k, k)
            b = _sparse(where, 1 + extra, part.shape, V) @ weighted
            solved[start : start + step] = torch.linalg.solve(A, b)
        return solved

    def _terms(self, weights: Floats) -> tuple[Floats, Floats]:
        extra = self.settings.alpha * weights
        return extra, 1 + extra

    def _regularisation(self) -> tuple[float, float]:
        return 1.0, self.settings.l2


def _sparse(
    where: torch.Tensor, values: torch.Tensor, shape: tuple[int, int], like: torch.Tensor
) -> torch.Tensor:
    import torch

    # Made from a valid matrix, so that checking it once more would only cost time.
    matrix = torch.sparse_coo_tensor(where, values, shape, check_invariants=False)
    return matrix.to(like.device)
