"""Bayesian personalised ranking of the library implicit, with fold-in of new reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.recommenders.base import Matrix, RecommenderSettings
from engine.recommenders.devices import Device, implicit_on_gpu
from engine.recommenders.implicit_als import to_numpy
from engine.recommenders.pairwise import PairwiseModel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class ImplicitBprSettings(RecommenderSettings):
    """Settings of ``ImplicitBpr``."""

    factors: int = Field(default=64, gt=0, le=512, description="Dimension of the factors.")
    l2: float = Field(default=0.005, ge=0, description="Regularisation of the factors in a pair.")
    fold_in_l2: float = Field(
        default=0.03, gt=0, description="Regularisation of the factors of a new report."
    )
    epochs: int = Field(
        default=200, gt=0, description="Each draws as many pairs as there are cells."
    )
    learning_rate: float = Field(default=0.05, gt=0, description="Of stochastic gradient descent.")
    seed: int = Field(default=0, ge=0, description="Of the factors to begin with and of the pairs.")
    device: Device = Field(
        default="auto", description="Where to fit; auto takes a GPU if there is one."
    )


class ImplicitBpr(PairwiseModel[ImplicitBprSettings]):
    """The loss of ``Bpr`` by plain stochastic descent in compiled code; rows all count alike.

    The library is needed for the fit only. It cannot answer for reports that were not in
    training; here they are folded in.

    References
    ----------
    Rendle et al. 2009 as for ``Bpr``; https://benfred.github.io/implicit/
    """

    name = "implicit_bpr"
    settings_type = ImplicitBprSettings

    def _fit(self, _matrix: Matrix, X: csr_matrix) -> None:
        from implicit.bpr import BayesianPersonalizedRanking

        settings = self.settings
        model = BayesianPersonalizedRanking(
            factors=settings.factors,
            regularization=settings.l2,
            iterations=settings.epochs,
            learning_rate=settings.learning_rate,
            random_state=settings.seed,
            use_gpu=implicit_on_gpu(settings.device),
            # More threads race for the factors: the same seed would give another model.
            num_threads=1,
        )
        model.fit(X, show_progress=False)
        # The last item factor is the bias, which meets a 1 on the side of the reports.
        users, items = to_numpy(model.user_factors), to_numpy(model.item_factors)
        self.user_factors_ = users[:, :-1].copy()
        self.item_factors_ = items[:, :-1].copy()
        self.item_bias_ = items[:, -1].copy()

    def _fold_in_l2(self) -> float:
        return self.settings.fold_in_l2
