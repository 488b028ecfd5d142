"""Tests of the synthetic cohorts."""
