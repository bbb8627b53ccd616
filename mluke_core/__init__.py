"""mLUKE from Wikipedia dumps to every table of the paper. Knows nothing of the workflow engine."""
