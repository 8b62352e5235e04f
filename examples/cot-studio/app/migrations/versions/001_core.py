"""Users, projects, files and what is made of them; the knowledge graph's rows."""

from alembic import op

revision = "001_core"
down_revision = None

BASE = "id varchar(36) PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()"
ENUMS = {
    "userrole": "SUPER_ADMIN ADMIN USER VIEWER",
    "projecttype": "STANDARD RESEARCH COMMERCIAL",
    "projectstatus": "ACTIVE ARCHIVED DELETED",
    "ocrstatus": "PENDING PROCESSING COMPLETED FAILED",
    "slicetype": "PARAGRAPH IMAGE TABLE HEADER FOOTER",
    "cotsource": "MANUAL HUMAN_AI GENERALIZATION",
    "cotstatus": "DRAFT REVIEWED APPROVED REJECTED",
}
# In the order in which they refer to each other.
TABLES = {
    "users": """username varchar(50) NOT NULL UNIQUE, email varchar(255) NOT NULL UNIQUE,
        hashed_password varchar(255) NOT NULL, full_name varchar(255), is_active boolean NOT NULL,
        is_superuser boolean NOT NULL, role userrole NOT NULL, department varchar(100),
        last_login timestamptz, login_count integer NOT NULL""",
    "roles": "name varchar(50) NOT NULL UNIQUE, description text",
    "user_roles": """user_id varchar(36) NOT NULL REFERENCES users, role_id varchar(36) NOT NULL REFERENCES roles,
        expires_at timestamptz""",
    "projects": """name varchar(255) NOT NULL, description text, owner_id varchar(36) NOT NULL REFERENCES users,
        tags json, project_type projecttype NOT NULL, status projectstatus NOT NULL""",
    "files": """project_id varchar(36) NOT NULL REFERENCES projects, filename varchar(255) NOT NULL,
        original_filename varchar(255) NOT NULL, file_path varchar(500) NOT NULL, file_hash varchar(64) NOT NULL,
        size bigint NOT NULL, mime_type varchar(100) NOT NULL, ocr_status ocrstatus NOT NULL,
        ocr_engine varchar(50), ocr_result text""",
    "slices": """file_id varchar(36) NOT NULL REFERENCES files, content text NOT NULL, start_offset integer NOT NULL,
        end_offset integer NOT NULL, slice_type slicetype NOT NULL, page_number integer, sequence_number integer NOT NULL""",
    "cot_items": """project_id varchar(36) NOT NULL REFERENCES projects, slice_id varchar(36) NOT NULL REFERENCES slices,
        question text NOT NULL, chain_of_thought text, source cotsource NOT NULL, status cotstatus NOT NULL,
        llm_metadata json, created_by varchar(36) NOT NULL, reviewed_by varchar(36)""",
    "cot_candidates": """cot_item_id varchar(36) NOT NULL REFERENCES cot_items, text text NOT NULL, chain_of_thought text,
        score double precision NOT NULL, chosen boolean NOT NULL, rank integer NOT NULL""",
    "kg_entities": """name varchar(255) NOT NULL, entity_type varchar(50) NOT NULL, description text, properties json,
        confidence_score double precision, neo4j_node_id varchar(100) UNIQUE""",
    "kg_relations": """source_entity_id varchar(36) NOT NULL REFERENCES kg_entities,
        target_entity_id varchar(36) NOT NULL REFERENCES kg_entities, relation_type varchar(50) NOT NULL,
        description text, confidence_score double precision, neo4j_relation_id varchar(100) UNIQUE""",
    "kg_extractions": """cot_item_id varchar(36) NOT NULL REFERENCES cot_items, project_id varchar(36) NOT NULL REFERENCES projects,
        entity_id varchar(36) REFERENCES kg_entities, relation_id varchar(36) REFERENCES kg_relations,
        extraction_method varchar(50) NOT NULL, source_text text""",
}
INDEXES = (
    ("user_roles", "user_id"), ("projects", "owner_id"), ("files", "project_id"), ("files", "file_hash"), ("slices", "file_id"),
    ("cot_items", "project_id"), ("cot_items", "slice_id"), ("cot_candidates", "cot_item_id"), ("kg_entities", "name"),
    ("kg_relations", "source_entity_id"), ("kg_relations", "target_entity_id"),
    ("kg_extractions", "cot_item_id"), ("kg_extractions", "project_id"),
)


def upgrade() -> None:
    for name, words in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ('" + "', '".join(words.split()) + "')")
    for name, columns in TABLES.items():
        op.execute(f"CREATE TABLE {name} ({BASE}, {columns})")
    for table, column in INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
