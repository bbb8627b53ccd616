"""Downloads, atomic writes, Parquet helpers, progress, the steps' command line, provenance."""
