"""Pure statistics on arrays: each estimator takes arrays and returns an `Estimate` or says why it is undefined."""
