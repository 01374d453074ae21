"""From ``study.yml`` to records of predictions and stored tables, and where a number is from.

May import ``data``, ``models`` and ``paper``.
"""
