"""Comparison of groups: the tests behind a table of patient characteristics."""
