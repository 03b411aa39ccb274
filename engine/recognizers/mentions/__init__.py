"""Mentions of techniques in text: ids, names, and what they are mentioned for."""
