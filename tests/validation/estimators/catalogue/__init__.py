"""Mirror of `validation/estimators/catalogue`."""
