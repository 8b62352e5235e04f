"""A small application like those that upkeep looks after: four sorts of work on four
queues, and settings that a test may change by a JSON file beside the broker's address."""

import json
import os
import time
from pathlib import Path

from celery import Celery

place = Path(os.environ["LAB_CELERY"])
app = Celery("lab", broker=(place / "broker").read_text().strip())
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_time_limit=600,
    task_soft_time_limit=300,
    task_default_queue="celery",
    task_routes={
        "lab.ocr_processing": {"queue": "ocr"},
        "lab.llm_processing": {"queue": "llm"},
        "lab.kg_extraction": {"queue": "kg"},
        "lab.file_processing": {"queue": "files"},
    },
    worker_prefetch_multiplier=1,
    result_expires=3600,
    timezone="Asia/Shanghai",
)
app.conf.update(json.loads((place / "settings.json").read_text()))


@app.task(name="lab.ocr_processing")
def ocr_processing(seconds=0):
    time.sleep(seconds)


@app.task(name="lab.llm_processing")
def llm_processing(seconds=0):
    time.sleep(seconds)


@app.task(name="lab.kg_extraction")
def kg_extraction():
    pass


@app.task(name="lab.file_processing")
def file_processing():
    pass


@app.task(name="lab.health_check")
def health_check():
    pass
