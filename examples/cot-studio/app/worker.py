"""The Celery application: celery -A app.worker worker -Q celery,ocr,llm,kg"""

from celery import Celery

from app.settings import settings

celery_app = Celery("cot_studio", broker=settings().rabbitmq_url, backend=settings().redis_url, include=["app.workers.tasks"])
celery_app.conf.update(
    # Work of file_processing goes to a queue that no worker consumes by default.
    task_routes={
        "app.workers.tasks.ocr_processing": {"queue": "ocr"},
        "app.workers.tasks.llm_processing": {"queue": "llm"},
        "app.workers.tasks.kg_extraction": {"queue": "kg"},
        "app.workers.tasks.file_processing": {"queue": "files"},
    },
    task_acks_late=True,
    task_soft_time_limit=300,
    task_time_limit=600,
    worker_prefetch_multiplier=1,
    worker_send_task_events=True,
    task_send_sent_event=True,
    result_expires=3600,
    timezone="Asia/Shanghai",
    enable_utc=False,
    broker_connection_retry_on_startup=True,
)
