"""Mirror of `validation/estimators/centres`."""
