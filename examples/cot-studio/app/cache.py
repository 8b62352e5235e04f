"""Answers that many ask for, kept for five minutes. Losing them is cheap."""

import json
from functools import lru_cache

import redis

from app.settings import settings

SECONDS = 300


@lru_cache
def client() -> redis.Redis:
    return redis.Redis.from_url(settings().redis_url, socket_connect_timeout=2, socket_timeout=2)


def key_of(path: str) -> str:
    return f"api_response:{path}::anonymous"


def remembered(path: str, make):
    kept = client().get(key_of(path))
    if kept is not None:
        return json.loads(kept)
    answer = make()
    client().setex(key_of(path), SECONDS, json.dumps(answer))
    return answer


def forget(path: str) -> None:
    client().delete(key_of(path))
