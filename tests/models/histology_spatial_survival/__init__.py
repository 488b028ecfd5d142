"""Tests of models/histology_spatial_survival/."""
