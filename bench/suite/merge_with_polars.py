"""Merges increments into a file as the guide's older script does, with polars."""
import glob
import sys

import polars as pl

main, increments, out, key = sys.argv[1], sorted(glob.glob(sys.argv[2])), sys.argv[3], sys.argv[4].split(",")
df = pl.concat([pl.read_parquet(main)] + [pl.read_parquet(f) for f in increments])
df = df.unique(subset=key, keep="last")
df.write_parquet(out, compression="snappy")
