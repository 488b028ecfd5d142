"""Tests of validation/estimators/."""
