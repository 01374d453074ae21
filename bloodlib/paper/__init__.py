"""What the paper prints, its equations, and whether its tables can be true.

Imports no other room.
"""
