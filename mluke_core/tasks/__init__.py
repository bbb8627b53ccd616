"""Question answering, relation extraction and named entity recognition."""
