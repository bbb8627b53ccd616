"""The official scoring rules as pure functions; nothing here imports torch."""
