"""The companion of a paper on white blood cells: data, baselines, network, evidence."""

__version__ = "0.1.0"
