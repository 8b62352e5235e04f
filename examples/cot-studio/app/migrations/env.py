"""Migrations run on the database of the application's settings and on no other."""

from alembic import context
from sqlalchemy import create_engine

from app.models import Base
from app.settings import settings

engine = create_engine(settings().database_url)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
