"""Mirror of registry/."""
