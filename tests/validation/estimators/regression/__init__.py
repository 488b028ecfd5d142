"""Mirror of `validation/estimators/regression`."""
