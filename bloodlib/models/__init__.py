"""What a method is, and the methods: those without networks, the networks, training and weights.

May import ``data``.
"""
