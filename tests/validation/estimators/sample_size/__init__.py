"""Mirror of `validation/estimators/sample_size`."""
