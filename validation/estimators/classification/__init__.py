"""Accuracy at a fixed threshold, with exact intervals."""
