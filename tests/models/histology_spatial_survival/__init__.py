"""Tests of models/ct_chemo_response/."""
