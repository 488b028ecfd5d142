"""Mirror of `validation/estimators/utility`."""
