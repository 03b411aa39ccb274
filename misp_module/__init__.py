"""MISP modules in front of the engine."""
