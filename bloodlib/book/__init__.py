"""How chapters are run and shown: the Sphinx extensions, tables, figures and the PDF.

May import every other room.
"""
