"""Loader, masking, language sampling and the DeepSpeed engine, with exact resume."""
