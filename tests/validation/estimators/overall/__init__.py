"""Mirror of `validation/estimators/overall`."""
