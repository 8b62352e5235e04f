"""The tables. Keys are UUIDs as text; labels of enumerations are upper-case names."""

import enum
import uuid
from datetime import datetime

from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Enum, Float, ForeignKey, Index, Integer, String, Text, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def labels(name: str, words: str) -> Enum:
    return Enum(*words.split(), name=name)


class TaskStatus(enum.Enum):
    PENDING = "pending"
    PROGRESS = "progress"
    SUCCESS = "success"
    FAILURE = "failure"
    RETRY = "retry"
    REVOKED = "revoked"


class Base(DeclarativeBase):
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now())


class User(Base):
    __tablename__ = "users"
    username: Mapped[str] = mapped_column(String(50), unique=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_superuser: Mapped[bool] = mapped_column(Boolean, default=False)
    role: Mapped[str] = mapped_column(labels("userrole", "SUPER_ADMIN ADMIN USER VIEWER"), default="USER")
    department: Mapped[str | None] = mapped_column(String(100))
    last_login: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    login_count: Mapped[int] = mapped_column(Integer, default=0)


class Role(Base):
    __tablename__ = "roles"
    name: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(Text)


class UserRole(Base):
    __tablename__ = "user_roles"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    role_id: Mapped[str] = mapped_column(ForeignKey("roles.id"))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Project(Base):
    __tablename__ = "projects"
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    tags: Mapped[list | None] = mapped_column(JSON)
    project_type: Mapped[str] = mapped_column(labels("projecttype", "STANDARD RESEARCH COMMERCIAL"), default="STANDARD")
    status: Mapped[str] = mapped_column(labels("projectstatus", "ACTIVE ARCHIVED DELETED"), default="ACTIVE")


class File(Base):
    __tablename__ = "files"
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    original_filename: Mapped[str] = mapped_column(String(255))
    file_path: Mapped[str] = mapped_column(String(500))
    file_hash: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mime_type: Mapped[str] = mapped_column(String(100))
    ocr_status: Mapped[str] = mapped_column(labels("ocrstatus", "PENDING PROCESSING COMPLETED FAILED"), default="PENDING")
    ocr_engine: Mapped[str | None] = mapped_column(String(50))
    ocr_result: Mapped[str | None] = mapped_column(Text)


class Slice(Base):
    __tablename__ = "slices"
    file_id: Mapped[str] = mapped_column(ForeignKey("files.id"), index=True)
    content: Mapped[str] = mapped_column(Text)
    start_offset: Mapped[int] = mapped_column(Integer)
    end_offset: Mapped[int] = mapped_column(Integer)
    slice_type: Mapped[str] = mapped_column(labels("slicetype", "PARAGRAPH IMAGE TABLE HEADER FOOTER"), default="PARAGRAPH")
    page_number: Mapped[int | None] = mapped_column(Integer)
    sequence_number: Mapped[int] = mapped_column(Integer)
    __table_args__ = (Index("slices_content_trgm", "content", postgresql_using="gin", postgresql_ops={"content": "gin_trgm_ops"}),)


class COTItem(Base):
    __tablename__ = "cot_items"
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    slice_id: Mapped[str] = mapped_column(ForeignKey("slices.id"), index=True)
    question: Mapped[str] = mapped_column(Text)
    chain_of_thought: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(labels("cotsource", "MANUAL HUMAN_AI GENERALIZATION"), default="MANUAL")
    status: Mapped[str] = mapped_column(labels("cotstatus", "DRAFT REVIEWED APPROVED REJECTED"), default="DRAFT")
    llm_metadata: Mapped[dict | None] = mapped_column(JSON)
    created_by: Mapped[str] = mapped_column(String(36))
    reviewed_by: Mapped[str | None] = mapped_column(String(36))


class COTCandidate(Base):
    __tablename__ = "cot_candidates"
    cot_item_id: Mapped[str] = mapped_column(ForeignKey("cot_items.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    chain_of_thought: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float] = mapped_column(Float, default=0)
    chosen: Mapped[bool] = mapped_column(Boolean, default=False)
    rank: Mapped[int] = mapped_column(Integer)


class KGEntity(Base):
    __tablename__ = "kg_entities"
    name: Mapped[str] = mapped_column(String(255), index=True)
    entity_type: Mapped[str] = mapped_column(String(50))
    description: Mapped[str | None] = mapped_column(Text)
    properties: Mapped[dict | None] = mapped_column(JSON)
    confidence_score: Mapped[float | None] = mapped_column(Float)
    neo4j_node_id: Mapped[str | None] = mapped_column(String(100), unique=True)


class KGRelation(Base):
    __tablename__ = "kg_relations"
    source_entity_id: Mapped[str] = mapped_column(ForeignKey("kg_entities.id"), index=True)
    target_entity_id: Mapped[str] = mapped_column(ForeignKey("kg_entities.id"), index=True)
    relation_type: Mapped[str] = mapped_column(String(50))
    description: Mapped[str | None] = mapped_column(Text)
    confidence_score: Mapped[float | None] = mapped_column(Float)
    neo4j_relation_id: Mapped[str | None] = mapped_column(String(100), unique=True)


class KGExtraction(Base):
    __tablename__ = "kg_extractions"
    cot_item_id: Mapped[str] = mapped_column(ForeignKey("cot_items.id"), index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    entity_id: Mapped[str | None] = mapped_column(ForeignKey("kg_entities.id"))
    relation_id: Mapped[str | None] = mapped_column(ForeignKey("kg_relations.id"))
    extraction_method: Mapped[str] = mapped_column(String(50))
    source_text: Mapped[str | None] = mapped_column(Text)


class ExportTask(Base):
    __tablename__ = "export_tasks"
    task_id: Mapped[str] = mapped_column(String(255), unique=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    export_format: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20), default="pending")
    progress: Mapped[float] = mapped_column(Float, default=0)
    error_message: Mapped[str | None] = mapped_column(Text)
    file_path: Mapped[str | None] = mapped_column(String(500))
    checksum: Mapped[str | None] = mapped_column(String(64))
    # Written without a zone, in UTC, unlike all other times.
    started_at: Mapped[datetime | None] = mapped_column(DateTime)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime)


class TaskMonitor(Base):
    __tablename__ = "task_monitors"
    task_id: Mapped[str] = mapped_column(String(255), unique=True)
    task_name: Mapped[str] = mapped_column(String(255))
    status: Mapped[TaskStatus] = mapped_column(Enum(TaskStatus), default=TaskStatus.PENDING, index=True)
    progress: Mapped[int] = mapped_column(Integer, default=0)
    worker_name: Mapped[str | None] = mapped_column(String(255))
    queue_name: Mapped[str | None] = mapped_column(String(100))
    error_info: Mapped[str | None] = mapped_column(Text)
    retry_count: Mapped[int] = mapped_column(Integer, default=0)


class AuditLog(Base):
    __tablename__ = "audit_logs"
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    event_type: Mapped[str] = mapped_column(labels("auditevent", "LOGIN CREATE UPDATE DELETE UPLOAD EXPORT"))
    severity: Mapped[str] = mapped_column(labels("auditseverity", "LOW MEDIUM HIGH CRITICAL"), default="LOW")
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[str | None] = mapped_column(String(36))
    action: Mapped[str] = mapped_column(String(255))
    ip_address: Mapped[str | None] = mapped_column(String(45))
    success: Mapped[bool] = mapped_column(Boolean, default=True)
