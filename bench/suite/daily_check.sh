#!/bin/bash
# The daily check of the example system's guide, question by question and in its order,
# with a plain client where the guide enters a container. It runs in the directory of
# the system; PIDS, BACKEND, FRONTEND, POSTGRES_PORT and PYTHON come from outside.
set -a
. ./.env
set +a

echo "=== COT Studio 每日健康检查 $(date) ==="

echo "1. 检查服务状态..."
ps -o pid,stat,etime,args -p "$PIDS"

echo "2. 检查磁盘空间..."
df -h

echo "3. 检查内存使用..."
free -h

echo "4. 检查容器资源使用..."
ps -o pid,pcpu,pmem,rss,args -p "$PIDS"

echo "5. 检查服务健康状态..."
curl -f "$BACKEND/health" || echo "后端服务异常"
curl -f "$FRONTEND" || echo "前端服务异常"

echo "6. 检查数据库连接..."
pg_isready -h 127.0.0.1 -p "$POSTGRES_PORT" -U cotuser -d cotdb || echo "PostgreSQL连接异常"
"$PYTHON" -c '
import os
from neo4j import GraphDatabase
with GraphDatabase.driver(os.environ["NEO4J_URI"], auth=(os.environ["NEO4J_USER"], os.environ["NEO4J_PASSWORD"])) as driver:
    print(driver.execute_query("RETURN 1").records)' || echo "Neo4j连接异常"

echo "7. 检查Celery任务队列..."
(cd srv && COT_STUDIO_ENV_FILE=../.env "$PYTHON" -m celery -A app.worker inspect active) || echo "Celery异常"

echo "=== 健康检查完成 ==="
