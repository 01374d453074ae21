"""The images: where they lie, how they are read and drawn, held out, and matched to photographs.

Imports no other room.
"""
