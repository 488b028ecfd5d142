"""Synthetic multicentre cohorts: latent biology, then covariates, event times and images. See mechanism.md."""
