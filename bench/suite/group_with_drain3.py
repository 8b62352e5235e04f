"""Groups the lines of one file with drain3 and its defaults, for the benchmark."""
import sys

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig

miner = TemplateMiner(config=TemplateMinerConfig())
out = open(sys.argv[2], "w") if len(sys.argv) > 2 else None
with open(sys.argv[1], encoding="utf-8", errors="replace", newline="\n") as lines:
    for line in lines:
        result = miner.add_log_message(line.rstrip("\n"))
        if out:
            out.write(f"{result['cluster_id']}\n")
if out:
    out.close()
print(len(miner.drain.clusters))
