"""Uploaded files are objects. files.file_path holds the key, file_hash and size what
the object must be like."""

import hashlib
import io
from functools import lru_cache

from minio import Minio
from minio.error import S3Error

from app.settings import settings


@lru_cache
def client() -> Minio:
    s = settings()
    return Minio(endpoint=s.minio_endpoint, access_key=s.minio_access_key, secret_key=s.minio_secret_key, secure=False)


def key_of(project_id: str, content: bytes, name: str) -> tuple[str, str]:
    digest = hashlib.sha256(content).hexdigest()
    return f"projects/{project_id}/files/{digest[:2]}/{digest[2:4]}/{digest}_{name}", digest


def put(key: str, content: bytes, mime_type: str) -> None:
    """The bucket is made at the first upload, not at the start."""
    bucket = settings().minio_bucket
    try:
        client().put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(content), length=len(content), content_type=mime_type)
    except S3Error as error:
        if error.code != "NoSuchBucket":
            raise
        client().make_bucket(bucket_name=bucket)
        client().put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(content), length=len(content), content_type=mime_type)


def get(key: str) -> bytes:
    answer = client().get_object(bucket_name=settings().minio_bucket, object_name=key)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def remove(key: str) -> None:
    client().remove_object(bucket_name=settings().minio_bucket, object_name=key)
