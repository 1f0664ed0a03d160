"""R's functions in formulas and expressions, each by R's name."""
