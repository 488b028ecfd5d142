"""Mirror of the room of this name."""
