"""
Reads a Parquet file to its end and says how many rows it has. Runs as a program, confined, never imported.

Only a file that this survived is read in the process that verifies. See `scanner.evidence.quarantine`.
"""

import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 20_000


def main() -> None:
    """
    Read standard input, and print what was found as JSON.
    """
    try:
        with pq.ParquetFile(sys.stdin.buffer, memory_map=False) as file:
            _check_columns(file.schema_arrow)
            rows = sum(batch.num_rows for batch in file.iter_batches(ROWS, use_threads=False))
        answer: dict[str, object] = {"rows": rows}
    except (OSError, ValueError, pa.ArrowException) as exc:
        answer = {"problem": f"is no table that can be read: {str(exc)[:200]}"}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    # pyarrow's threads may be starting still, and then end a program that ends with an abort (26.0, seen 2026).
    os._exit(0)


def _check_columns(schema: pa.Schema) -> None:
    """
    Refuse columns that unfold only when they are used: a code for a megabyte of text, repeated a million times.
    """
    for column in schema:
        kind = column.type
        plain = (pa.types.is_string, pa.types.is_boolean, pa.types.is_int64, pa.types.is_timestamp)
        if not any(test(kind) for test in plain):
            raise ValueError(
                f"column {column.name[:60]!r} holds {str(kind)[:60]}, as no table here does"
            )


if __name__ == "__main__":
    main()
