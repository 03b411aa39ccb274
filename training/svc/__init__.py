"""Train the svc recognizer: TF-IDF and one-vs-rest linear support vector machines.

From top to bottom: `settings` say how, `data` chooses the label space and what to learn from,
`fit` learns, `calibrate` turns margins into probabilities, `train` does all of it and also
scores every document by a model that has not seen it.
"""

from training.svc.data import NothingToLearnError
from training.svc.settings import SvcSettings
from training.svc.train import Counted, SvcTraining, cross_validated, enough, train_svc

__all__ = [
    "Counted",
    "NothingToLearnError",
    "SvcSettings",
    "SvcTraining",
    "cross_validated",
    "enough",
    "train_svc",
]
