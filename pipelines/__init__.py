"""The road: one short file per DVC stage, the synthetic cohorts and the command line."""
