"""Who did what, and what runs; the extensions that searching and tuning need."""

from alembic import op

revision = "002_audit_and_tasks"
down_revision = "001_core"

BASE = "id varchar(36) PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()"
ENUMS = {
    "taskstatus": "PENDING PROGRESS SUCCESS FAILURE RETRY REVOKED",
    "auditevent": "LOGIN CREATE UPDATE DELETE UPLOAD EXPORT",
    "auditseverity": "LOW MEDIUM HIGH CRITICAL",
}
TABLES = {
    "export_tasks": """task_id varchar(255) NOT NULL UNIQUE, project_id varchar(36) NOT NULL REFERENCES projects,
        user_id varchar(36) NOT NULL REFERENCES users, export_format varchar(20) NOT NULL, status varchar(20) NOT NULL,
        progress double precision NOT NULL, error_message text, file_path varchar(500), checksum varchar(64),
        started_at timestamp, expires_at timestamp""",
    "task_monitors": """task_id varchar(255) NOT NULL UNIQUE, task_name varchar(255) NOT NULL, status taskstatus NOT NULL,
        progress integer NOT NULL, worker_name varchar(255), queue_name varchar(100), error_info text,
        retry_count integer NOT NULL""",
    "audit_logs": """user_id varchar(36) REFERENCES users, event_type auditevent NOT NULL, severity auditseverity NOT NULL,
        resource_type varchar(50) NOT NULL, resource_id varchar(36), action varchar(255) NOT NULL,
        ip_address varchar(45), success boolean NOT NULL""",
}
ROLES = ("admin", "editor", "reviewer", "viewer")


def upgrade() -> None:
    op.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    for name, words in ENUMS.items():
        op.execute(f"CREATE TYPE {name} AS ENUM ('" + "', '".join(words.split()) + "')")
    for name, columns in TABLES.items():
        op.execute(f"CREATE TABLE {name} ({BASE}, {columns})")
    op.create_index("ix_task_monitors_status", "task_monitors", ["status"])
    op.create_index("ix_audit_logs_user_id", "audit_logs", ["user_id"])
    op.execute("CREATE INDEX slices_content_trgm ON slices USING gin (content gin_trgm_ops)")
    for role in ROLES:
        op.execute(f"INSERT INTO roles (id, name) VALUES (uuid_generate_v4()::text, '{role}')")


def downgrade() -> None:
    op.drop_index("slices_content_trgm", "slices")
    for name in reversed(TABLES):
        op.drop_table(name)
    for name in ENUMS:
        op.execute(f"DROP TYPE {name}")
    op.execute("DELETE FROM roles")
