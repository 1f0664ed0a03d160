"""Plots of data in this process and on Spark, with matplotlib: rxLinePlot.

``lineplot``   rxLinePlot
``chart``      curves of a plot, from a formula and data
``style``      colours, symbols and lines of the groups
``smoothing``  fitted curves
``drawing``    charts on matplotlib's axes
"""
