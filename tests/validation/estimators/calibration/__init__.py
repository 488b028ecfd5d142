"""Mirror of `validation/estimators/calibration`."""
