"""Mirror of `validation/estimators/shift`."""
