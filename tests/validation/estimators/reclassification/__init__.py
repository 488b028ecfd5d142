"""Mirror of `validation/estimators/reclassification`."""
