"""A small multilingual encyclopaedia, written in the real formats, for offline runs and tests."""
