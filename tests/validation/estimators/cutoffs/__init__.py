"""Mirror of `validation/estimators/cutoffs`."""
