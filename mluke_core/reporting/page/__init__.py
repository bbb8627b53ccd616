"""The report of a run as one page: what was run, what came out, and examples."""
