"""Cut-offs chosen on development data, and what the search costs."""
