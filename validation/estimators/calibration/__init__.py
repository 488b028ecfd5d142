"""Whether predicted risks are right on average and over their whole range."""
