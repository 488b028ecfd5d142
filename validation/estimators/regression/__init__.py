"""Binary regression: logistic, penalised logistic, spline bases."""
