"""R's functions in formulas and expressions, each by R's name.

``elementwise``, ``text``                        element by element: the same for one row and for all
``statistics``, ``polynomials``, ``splines``,
``factors``                                      of whole columns, from totals over all rows
``columns``                                      the table of the functions of whole columns
``totals``, ``arguments``                        what these share
"""
