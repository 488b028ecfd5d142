"""How strongly two numbers of the same patients go together."""
