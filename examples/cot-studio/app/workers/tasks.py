"""The five tasks. The small ones here stand for long work on documents; where they read
and write is what the real ones do."""

from sqlalchemy import select

from app import storage
from app.database import sessions
from app.models import COTCandidate, COTItem, File, KGEntity, KGExtraction, Slice
from app.worker import celery_app

NAME = "app.workers.tasks."


@celery_app.task(name=NAME + "ocr_processing")
def ocr_processing(file_id: str) -> dict:
    """Cuts a document into paragraphs. A file that fails says so in ocr_status."""
    with sessions().begin() as db:
        db.get_one(File, file_id).ocr_status = "PROCESSING"
    try:
        return _slice(file_id)
    except Exception as error:
        with sessions().begin() as db:
            file = db.get_one(File, file_id)
            file.ocr_status, file.ocr_result = "FAILED", str(error)[:500]
        raise


def _slice(file_id: str) -> dict:
    with sessions().begin() as db:
        file = db.get_one(File, file_id)
        text, offset, number = storage.get(file.file_path).decode("utf-8", "replace"), 0, 0
        for number, paragraph in enumerate(text.split("\n\n"), 1):
            db.add(Slice(file_id=file_id, content=paragraph, start_offset=offset, end_offset=offset + len(paragraph),
                         page_number=1, sequence_number=number))
            offset += len(paragraph) + 2
        file.ocr_status, file.ocr_engine, file.ocr_result = "COMPLETED", "plain", f"{number} slices"
    return {"file_id": file_id, "slices": number}


@celery_app.task(name=NAME + "llm_processing")
def llm_processing(item_id: str) -> dict:
    """Adds three candidate answers to an item."""
    with sessions().begin() as db:
        item = db.get_one(COTItem, item_id)
        for rank in (1, 2, 3):
            db.add(COTCandidate(cot_item_id=item.id, text=f"{item.question} – {rank}", score=1 / rank, rank=rank))
        item.source = "HUMAN_AI"
    return {"item_id": item_id, "candidates": 3}


@celery_app.task(name=NAME + "kg_extraction")
def kg_extraction(item_id: str) -> dict:
    """Notes which known entities an item's question names."""
    with sessions().begin() as db:
        item = db.get_one(COTItem, item_id)
        named = [e for e in db.scalars(select(KGEntity)) if e.name in item.question]
        for entity in named:
            db.add(KGExtraction(cot_item_id=item.id, project_id=item.project_id, entity_id=entity.id,
                                extraction_method="name", source_text=item.question))
    return {"item_id": item_id, "entities": len(named)}


@celery_app.task(name=NAME + "file_processing")
def file_processing(file_id: str) -> dict:
    with sessions()() as db:
        return {"file_id": file_id, "size": db.get_one(File, file_id).size}


@celery_app.task(name=NAME + "health_check")
def health_check() -> str:
    return "ok"
