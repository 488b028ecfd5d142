"""The release: the MLflow registry, promotion and the check of digests at load. The only room that imports MLflow."""
