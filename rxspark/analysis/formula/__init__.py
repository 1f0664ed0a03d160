"""R's formula language: syntax, terms, contrasts, functions, and the design matrices that they make of tables."""
