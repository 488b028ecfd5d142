"""Censored follow-up: Kaplan-Meier, log-rank, Cox regression and its checks."""
