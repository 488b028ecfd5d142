"""How many patients and events an external validation needs."""
