"""Recommenders: observed techniques to likely further ones, one file each."""

from engine.recommenders.base import Matrix, Recommendation, Recommender, Row
from engine.recommenders.serving import load_recommender

__all__ = ["Matrix", "Recommendation", "Recommender", "Row", "load_recommender"]
