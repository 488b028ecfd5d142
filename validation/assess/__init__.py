"""Assessment of a table of predictions: every estimate that the columns allow, for someone who has only a CSV."""
