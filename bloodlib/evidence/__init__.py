"""From predictions to scores, intervals, comparisons and verdicts.

May import ``data``, ``models``, ``paper`` and ``study``.
"""
