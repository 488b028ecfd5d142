"""Mirror of `validation/estimators/discrimination`."""
