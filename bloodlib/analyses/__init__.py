"""One module for each subject that needs more than a cell: ``compute_*`` finds, ``plot_*`` draws.

May import every room but ``book``.
"""
