"""Opens connections as an application does that never gives one back, and stops six
short of the server's limit: so whoever looks can still log in."""

import time

import psycopg2

from app.settings import settings

held = [psycopg2.connect(settings().database_url, application_name="leak")]
with held[0].cursor() as ask:
    ask.execute("select current_setting('max_connections')::int - count(*) from pg_stat_activity where backend_type = 'client backend'")
    free = ask.fetchone()[0]
held[0].rollback()
held += [psycopg2.connect(settings().database_url, application_name="leak") for _ in range(free - 6)]
print(f"leaked {len(held)} connections", flush=True)
time.sleep(1e9)
