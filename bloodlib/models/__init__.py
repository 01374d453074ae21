"""What a method is, and the methods: baselines, other models, DCLNN, their training and weights.

May import ``data``.
"""
