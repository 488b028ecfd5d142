"""Tests of models/, folder by folder."""
