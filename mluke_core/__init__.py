"""mLUKE from Wikipedia dumps to every table of the paper. Knows nothing of the workflow engine."""

__version__ = "0.1.0"
