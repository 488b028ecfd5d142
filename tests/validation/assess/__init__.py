"""Mirror of `validation/assess`."""
