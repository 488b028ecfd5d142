"""Mirror of `validation/estimators/classification`."""
