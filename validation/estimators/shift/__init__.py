"""How far a cohort lies from the one a model was developed on."""
