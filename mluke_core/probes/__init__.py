"""mLAMA, contextualized word retrieval and modularity: what a model knows without fine-tuning."""
