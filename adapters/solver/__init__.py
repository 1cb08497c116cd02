"""Mathematical programming, for decisions over many orders at once."""
