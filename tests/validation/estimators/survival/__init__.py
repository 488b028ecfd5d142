"""Mirror of `validation/estimators/survival`."""
