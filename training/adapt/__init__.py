"""Adapt a release to the verdicts of a site, without the data that it was trained on.

`rows` gathers what sentences teach, `fit` learns corrections of the fusion's log-odds and how far
to trust them, `recommenders` fits those again with the site's reports among the rows, `release`
writes a release that is the old one with these parts changed.
"""

from training.adapt.fit import Adapted, fit_adaptation
from training.adapt.release import Adapting, adapt
from training.adapt.settings import AdaptSettings

__all__ = ["AdaptSettings", "Adapted", "Adapting", "adapt", "fit_adaptation"]
