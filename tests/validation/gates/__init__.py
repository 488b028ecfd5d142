"""Tests of validation/gates/."""
