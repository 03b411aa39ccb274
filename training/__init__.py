"""Label sets, training, evaluation and publication of releases."""
