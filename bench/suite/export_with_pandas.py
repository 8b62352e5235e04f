"""Writes a CSV file as a workbook with pandas and openpyxl, for the benchmark."""
import sys

import pandas

pandas.read_csv(sys.argv[1]).to_excel(sys.argv[2], index=False, engine="openpyxl")
