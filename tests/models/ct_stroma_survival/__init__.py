"""Tests of models/ct_stroma_survival/."""
