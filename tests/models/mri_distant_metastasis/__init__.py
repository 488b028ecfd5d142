"""Tests of models/mri_distant_metastasis/."""
