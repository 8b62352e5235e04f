"""Judges a JSON database as the guide's DataRepairTool does."""
import json
import sys

with open(sys.argv[1]) as f:
    data = json.load(f)
issues = [f"missing field {field}" for field in ["version", "models", "summary"] if field not in data]
if "models" in data and "summary" in data:
    actual = sum(m.get("total_tests", 0) for m in data["models"].values())
    if actual != data["summary"].get("total_tests", 0):
        issues.append(f"models have {actual} tests, the summary says {data['summary'].get('total_tests', 0)}")
print(issues or "nothing")
