"""Merges increments into a file as the guide's older script does, with pandas."""
import glob
import sys

import pandas as pd

main, increments, out, key = sys.argv[1], sorted(glob.glob(sys.argv[2])), sys.argv[3], sys.argv[4].split(",")
df = pd.concat([pd.read_parquet(main)] + [pd.read_parquet(f) for f in increments], ignore_index=True)
df = df.drop_duplicates(subset=key, keep="last")
df.to_parquet(out, index=False)
