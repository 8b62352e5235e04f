"""Merges increments into a file with one window query of DuckDB, without any proof."""
import sys

import duckdb

main, increments, out, key = sys.argv[1:5]
duckdb.sql(f"""COPY (SELECT * EXCLUDE (late, filename, file_row_number) FROM (
    SELECT *, 0 AS late FROM read_parquet('{main}', filename = true, file_row_number = true)
    UNION ALL SELECT *, 1 AS late FROM read_parquet('{increments}', filename = true, file_row_number = true))
  QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY late DESC, filename DESC, file_row_number DESC) = 1)
  TO '{out}' (FORMAT parquet, COMPRESSION snappy)""")
