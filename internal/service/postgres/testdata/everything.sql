CREATE EXTENSION pg_trgm;
CREATE EXTENSION "uuid-ossp";
CREATE SCHEMA "Mixed Case";
CREATE TYPE userrole AS ENUM ('SUPER_ADMIN', 'ADMIN', 'USER');
CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);

CREATE TABLE users (
  id varchar(36) PRIMARY KEY DEFAULT uuid_generate_v4()::text,
  username varchar(50) UNIQUE, role userrole DEFAULT 'USER', roles json,
  status varchar(20) CHECK (status IN ('ACTIVE', 'ARCHIVED')),
  created_at timestamptz DEFAULT now());
INSERT INTO users (id, username, roles, status)
  SELECT 'u' || g, 'user ' || g, '{"a": [1, 2]}', 'ACTIVE' FROM generate_series(1, 1000) g;

CREATE TABLE files (
  id bigserial PRIMARY KEY, owner_id varchar(36) REFERENCES users, file_path varchar(500),
  size bigint, ocr_result text);
INSERT INTO files (owner_id, file_path, size, ocr_result)
  SELECT 'u' || 1 + g % 1000, '/data/文件 ' || g, g * 7, repeat(md5(g::text), 3) FROM generate_series(1, 100000) g;
CREATE INDEX files_trgm ON files USING gin (file_path gin_trgm_ops);
CREATE INDEX "Files Size" ON files (size);

CREATE TABLE types (
  id int GENERATED ALWAYS AS IDENTITY, n numeric, f8 float8, f4 float4, big positive, d date, ts timestamptz, i interval,
  b bytea, j jsonb, t text, a int[], ta text[], p pair, m money, u uuid, net inet, bits bit varying, r int4range, x xml,
  dropped text, twice numeric GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE types DROP COLUMN dropped;
INSERT INTO types (n, f8, f4, big, d, ts, i, b, j, t, a, ta, p, m, u, net, bits, r, x) VALUES
  ('NaN', 'NaN', '-Infinity', 1.50, 'infinity', '-infinity', '1 year 2 mons -3 days', '\x00ff5c0a', '{"k": null}', E'a\tb\nc\\d\re',
   '{1,NULL,3}', '{"a,b","\"",NULL,""}', '(1,"x, y")', 1234.56, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1/8', '101', '[1,5)', '<a>1</a>'),
  (1e100, 0.1, 3.4e38, 1, '4713-01-01 BC', '2026-11-23 01:02:03.456789+08', '-00:00:00.000001', '', '[]', '', '{}', '{}', NULL, NULL, NULL, NULL, NULL, 'empty', NULL),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\.', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '\N', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events SELECT '2025-06-01'::date + g, 'e' || g FROM generate_series(1, 400) g;
CREATE INDEX events_at ON events (at);

CREATE TABLE parent (a int, b text);
CREATE TABLE child (c int) INHERITS (parent);
INSERT INTO parent VALUES (1, 'p'), (1, 'p');
INSERT INTO child VALUES (2, 'c', 3);

CREATE UNLOGGED TABLE cache (k text PRIMARY KEY, v text);
INSERT INTO cache VALUES ('a', 'b');
CREATE TABLE nothing (a int);
CREATE TABLE nocolumns ();
INSERT INTO nocolumns DEFAULT VALUES;
INSERT INTO nocolumns DEFAULT VALUES;

CREATE TABLE hen (id int PRIMARY KEY, egg_id int);
CREATE TABLE egg (id int PRIMARY KEY, hen_id int REFERENCES hen);
ALTER TABLE hen ADD CONSTRAINT hen_egg FOREIGN KEY (egg_id) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO hen VALUES (1, 1);
INSERT INTO egg VALUES (1, 1);
COMMIT;

CREATE TABLE secrets (tenant text, note text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON secrets USING (tenant = current_user);
INSERT INTO secrets VALUES ('cotuser', 'x'), ('other', 'y');
GRANT SELECT ON secrets TO cotuser;

CREATE TABLE "Mixed Case"."COTItem" ("Id" int PRIMARY KEY, "select" text);
INSERT INTO "Mixed Case"."COTItem" VALUES (1, 'a'), (2, 'b');
ALTER TABLE "Mixed Case"."COTItem" OWNER TO cotuser;

CREATE TABLE checked (n int);
INSERT INTO checked VALUES (-1);
ALTER TABLE checked ADD CONSTRAINT later CHECK (n > 0) NOT VALID;

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN NEW.v := NEW.v || '; "stamped"'; RETURN NEW; END $body$;
CREATE TRIGGER stamp BEFORE INSERT ON cache FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE VIEW actives AS SELECT id FROM users WHERE status = 'ACTIVE';
CREATE MATERIALIZED VIEW sizes AS SELECT owner_id, sum(size) FROM files GROUP BY 1;

CREATE SEQUENCE loose INCREMENT 5;
SELECT nextval('loose'), nextval('loose');
CREATE SEQUENCE untouched START 42;

SELECT lo_from_bytea(4711, decode(repeat('00ff5c', 1000000), 'hex'));
SELECT lo_from_bytea(4712, '');
SELECT lo_put(lo_create(4713), 5000000, 'after a hole');
ALTER LARGE OBJECT 4711 OWNER TO cotuser;
COMMENT ON LARGE OBJECT 4712 IS 'empty';
