"""Between centres: random-effects summaries and predictions for the next centre."""
