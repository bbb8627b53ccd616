"""Figures of the report: one module per figure, one style for all."""
