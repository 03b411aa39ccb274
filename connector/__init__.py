"""OpenCTI internal-enrichment connector in front of the engine."""
