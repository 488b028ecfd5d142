"""Tests of validation/descriptive/."""
