"""One module for each kind of panel.

Each draws a panel into its place, and returns whether it had data.
"""
