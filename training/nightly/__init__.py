"""The nightly: harvest, freeze, train, compare, publish, tell."""
