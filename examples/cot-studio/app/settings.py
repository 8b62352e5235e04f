"""Settings come from the environment, or from the file that COT_STUDIO_ENV_FILE names
(default: .env). Nothing that is secret has a default."""

import os
from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=os.environ.get("COT_STUDIO_ENV_FILE", ".env"), extra="ignore")

    secret_key: str
    database_url: str
    database_pool_size: int = 5
    database_max_overflow: int = 10
    redis_url: str
    rabbitmq_url: str
    neo4j_uri: str
    neo4j_user: str = "neo4j"
    neo4j_password: str
    minio_endpoint: str
    minio_access_key: str
    minio_secret_key: str
    minio_bucket: str = "cot-studio"
    max_file_size: int = 104857600


@lru_cache
def settings() -> Settings:
    return Settings()
