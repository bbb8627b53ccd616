"""The columns that every predictions file begins with, whatever made it (docs/design.md)."""

from __future__ import annotations

import pyarrow as pa

PREDICTION_FIELDS = [
    pa.field("run", pa.string()),
    pa.field("seed", pa.int32()),
    pa.field("test_set", pa.string()),
    pa.field("example_id", pa.string()),
    pa.field("prediction", pa.string()),
    pa.field("score", pa.float32()),
]
