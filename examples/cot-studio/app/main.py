"""The HTTP API. Handlers are plain functions: each runs in a thread and takes one
connection of the pool while it lasts."""

import re
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request, UploadFile
from pydantic import BaseModel
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import cache, graph, security, storage
from app.database import session, sessions
from app.models import AuditLog, COTItem, File, KGEntity, KGRelation, Project, Slice, User
from app.settings import settings
from app.worker import celery_app
from app.workers import tasks


@asynccontextmanager
async def lifespan(_: FastAPI):
    graph.prepare()
    yield
    graph.driver().close()


app = FastAPI(title="COT Studio", lifespan=lifespan)
DB = Annotated[Session, Depends(session)]
PROJECTS = "/api/v1/projects"


def current_user(db: DB, authorization: Annotated[str, Header()] = "") -> User:
    user_id = security.user_of(authorization.removeprefix("Bearer "))
    user = db.get(User, user_id) if user_id else None
    if user is None or not user.is_active:
        raise HTTPException(401, "log in first")
    return user


Me = Annotated[User, Depends(current_user)]


def found(db: Session, model, key: str):
    row = db.get(model, key)
    if row is None:
        raise HTTPException(404, f"no {model.__tablename__} with id {key}")
    return row


def note(db: Session, user: User, event: str, kind: str, key: str, action: str, request: Request) -> None:
    db.add(AuditLog(user_id=user.id, event_type=event, resource_type=kind, resource_id=key, action=action,
                    ip_address=request.client.host if request.client else None))


@app.get("/health")
def health() -> dict:
    """Always 200; what is wrong stands in components. The time is a constant."""
    database = database_state()
    return {
        "status": "healthy" if database == "healthy" else "degraded",
        "service": "cot-studio-api",
        "components": {"database": database, "celery": celery_state()},
        "timestamp": "2024-01-01T00:00:00Z",
    }


def database_state() -> str:
    try:
        with sessions()() as db:
            db.execute(text("select 1"))
        return "healthy"
    except Exception:
        return "unhealthy"


def celery_state() -> str:
    try:
        with celery_app.connection_for_write(connect_timeout=2) as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            answers = celery_app.control.ping(timeout=1, connection=connection)
        return "healthy" if answers else "no_workers"
    except Exception:
        return "unhealthy"


class NewUser(BaseModel):
    username: str
    email: str
    password: str
    full_name: str = ""


@app.post("/api/v1/users", status_code=201)
def register(new: NewUser, db: DB) -> dict:
    """The first user is the administrator."""
    first = not db.scalar(select(func.count()).select_from(User))
    user = User(username=new.username, email=new.email, full_name=new.full_name, is_superuser=first,
                hashed_password=security.hash_password(new.password), role="SUPER_ADMIN" if first else "USER")
    db.add(user)
    try:
        db.commit()
    except IntegrityError as error:
        raise HTTPException(409, "this name or address is taken") from error
    return {"id": user.id, "role": user.role}


class Login(BaseModel):
    username: str
    password: str


@app.post("/api/v1/auth/login")
def login(given: Login, db: DB, request: Request) -> dict:
    user = db.scalar(select(User).where(User.username == given.username))
    if user is None or not security.matches(given.password, user.hashed_password):
        raise HTTPException(401, "wrong name or password")
    user.last_login, user.login_count = func.now(), user.login_count + 1
    note(db, user, "LOGIN", "user", user.id, "login", request)
    db.commit()
    return {"access_token": security.token_for(user.id), "token_type": "bearer"}


class NewProject(BaseModel):
    name: str
    description: str = ""
    tags: list[str] = []


@app.post(PROJECTS, status_code=201)
def make_project(new: NewProject, me: Me, db: DB, request: Request) -> dict:
    project = Project(name=new.name, description=new.description, tags=new.tags, owner_id=me.id)
    db.add(project)
    db.flush()
    note(db, me, "CREATE", "project", project.id, new.name[:255], request)
    db.commit()
    cache.forget(PROJECTS)
    return {"id": project.id}


@app.get(PROJECTS)
def projects(_: Me, db: DB) -> list[dict]:
    return cache.remembered(PROJECTS, lambda: [{"id": p.id, "name": p.name} for p in db.scalars(select(Project).order_by(Project.name))])


@app.post(PROJECTS + "/{project_id}/files", status_code=201)
def upload(project_id: str, file: UploadFile, me: Me, db: DB, request: Request) -> dict:
    """The object is written before its row: a crash leaves an object too many, never a
    row without its file."""
    found(db, Project, project_id)
    name = re.sub(r"[/\\\x00-\x1f]", "_", file.filename or "unnamed")[:150]
    content = file.file.read(settings().max_file_size + 1)
    if len(content) > settings().max_file_size:
        raise HTTPException(413, "the file is too large")
    key, digest = storage.key_of(project_id, content, name)
    mime_type = file.content_type or "application/octet-stream"
    storage.put(key, content, mime_type)
    row = File(project_id=project_id, filename=f"{digest}_{name}", original_filename=name, file_path=key,
               file_hash=digest, size=len(content), mime_type=mime_type)
    db.add(row)
    db.flush()
    note(db, me, "UPLOAD", "file", row.id, name, request)
    db.commit()
    return {"id": row.id, "file_path": key, "file_hash": digest, "size": row.size}


@app.delete("/api/v1/files/{file_id}", status_code=204)
def delete_file(file_id: str, me: Me, db: DB, request: Request) -> None:
    row = found(db, File, file_id)
    db.query(Slice).filter(Slice.file_id == file_id).delete()
    db.delete(row)
    note(db, me, "DELETE", "file", file_id, row.original_filename, request)
    db.commit()
    storage.remove(row.file_path)


@app.post("/api/v1/files/{file_id}/{work}", status_code=202)
def process(file_id: str, work: str, _: Me, db: DB) -> dict:
    """work is ocr or process; the second is what no worker consumes."""
    found(db, File, file_id)
    task = {"ocr": tasks.ocr_processing, "process": tasks.file_processing}.get(work)
    if task is None:
        raise HTTPException(404, "work is ocr or process")
    return {"task_id": task.delay(file_id).id}


@app.get("/api/v1/files/{file_id}")
def file_state(file_id: str, _: Me, db: DB) -> dict:
    row = found(db, File, file_id)
    slices = db.scalars(select(Slice.id).where(Slice.file_id == file_id).order_by(Slice.sequence_number)).all()
    return {"id": row.id, "ocr_status": row.ocr_status, "slices": list(slices)}


class NewItem(BaseModel):
    slice_id: str
    question: str
    chain_of_thought: str = ""


@app.post(PROJECTS + "/{project_id}/items", status_code=201)
def make_item(project_id: str, new: NewItem, me: Me, db: DB) -> dict:
    found(db, Project, project_id)
    found(db, Slice, new.slice_id)
    item = COTItem(project_id=project_id, slice_id=new.slice_id, question=new.question,
                   chain_of_thought=new.chain_of_thought, created_by=me.id)
    db.add(item)
    db.commit()  # the workers look for it at once
    return {"id": item.id, "llm": tasks.llm_processing.delay(item.id).id, "kg": tasks.kg_extraction.delay(item.id).id}


class NewEntity(BaseModel):
    name: str
    entity_type: str
    description: str = ""
    confidence: float = 1.0


@app.post("/api/v1/kg/entities", status_code=201)
def make_entities(new: list[NewEntity], _: Me, db: DB) -> list[str]:
    """Nodes are written before the rows that claim them are committed."""
    rows = [KGEntity(name=n.name, entity_type=n.entity_type, description=n.description, confidence_score=n.confidence) for n in new]
    db.add_all(rows)
    db.flush()
    graph.put_entities(rows)
    for row in rows:
        row.neo4j_node_id = row.id
    db.commit()
    return [row.id for row in rows]


class NewRelation(BaseModel):
    source: str
    target: str
    relation_type: str


@app.post("/api/v1/kg/relations", status_code=201)
def make_relation(new: NewRelation, _: Me, db: DB) -> dict:
    found(db, KGEntity, new.source)
    found(db, KGEntity, new.target)
    row = KGRelation(source_entity_id=new.source, target_entity_id=new.target, relation_type=new.relation_type, confidence_score=1.0)
    db.add(row)
    db.flush()
    graph.put_relation(row)
    row.neo4j_relation_id = row.id
    db.commit()
    return {"id": row.id}
