"""The judge: estimators, cohort contract, protocols, evidence, gates and verdicts.

Knows numpy, pandas, scipy, SimpleITK and Great Expectations; never torch, DVC or MLflow.
"""
