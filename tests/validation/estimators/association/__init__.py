"""Mirror of `validation/estimators/groups`."""
