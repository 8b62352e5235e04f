"""One pool per process. The sum of all pools must stay below max_connections."""

from functools import lru_cache

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from app.settings import settings


@lru_cache
def sessions() -> sessionmaker[Session]:
    s = settings()
    engine = create_engine(
        s.database_url,
        pool_size=s.database_pool_size,
        max_overflow=s.database_max_overflow,
        pool_recycle=1800,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "application_name": "cot-studio"},
    )
    return sessionmaker(engine, expire_on_commit=False)


def session():
    """A session for one request. Handlers commit: this ends after the answer is sent, and
    whoever gets an id may ask for it at once."""
    with sessions()() as db:
        yield db
