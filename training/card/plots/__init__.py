"""Plots of a card as SVG: text that can be read aloud, colours of the page, the same bytes."""
