"""Mirror of `validation/estimators/association`."""
