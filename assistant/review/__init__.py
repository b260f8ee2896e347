"""Review: a few comments on what changed, each backed by evidence."""
