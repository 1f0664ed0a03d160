"""R's formula language: from the text of a formula to the design matrices of tables.

``syntax``       parse R's expressions, write them as R does
``terms``        the terms that formula operators make
``formula``      model formulas: `parse_formula`
``functions``    R's functions, by R's names
``values``       numbers, truth values, text, factors, times
``expressions``  evaluate expressions over columns
``recipe``       transforms, chosen rows and expressions, prepared on all rows
``contrasts``    codings of factors
``variables``    kinds, levels and contrasts of a model's variables
``design``       design matrices: `build_design`
"""
