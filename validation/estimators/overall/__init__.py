"""How close predicted risks come to what happened: Brier scores and prediction-error curves."""
