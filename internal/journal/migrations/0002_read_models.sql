-- Read models: what surfaces ask for, made of the records and rebuilt from them
-- by Rebuild. Times in columns are nanoseconds since 1970; the bodies have the
-- times that people see.
CREATE TABLE runs (
	id      TEXT PRIMARY KEY,
	system  TEXT NOT NULL,
	verb    TEXT NOT NULL,
	parent  TEXT NOT NULL,
	started INTEGER NOT NULL,
	body    TEXT NOT NULL -- the run as far as it is known
) STRICT;
CREATE INDEX runs_by_start ON runs (started, id);
CREATE INDEX runs_by_system ON runs (system, started, id);
CREATE INDEX runs_by_verb ON runs (system, verb, started, id);
CREATE INDEX runs_on_top ON runs (started, id) WHERE parent = '';

-- What runs said of targets; told is 0 when a run could not tell.
CREATE TABLE results (
	run     TEXT NOT NULL,
	target  TEXT NOT NULL,
	system  TEXT NOT NULL,
	verb    TEXT NOT NULL,
	started INTEGER NOT NULL, -- of the run
	told    INTEGER NOT NULL,
	PRIMARY KEY (run, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX results_by_target ON results (system, verb, target, told, started);

-- Rows of runs that found the same thing again and again.
CREATE TABLE findings (
	system  TEXT NOT NULL,
	verb    TEXT NOT NULL,
	target  TEXT NOT NULL,
	id      TEXT NOT NULL,
	subject TEXT NOT NULL,
	since   TEXT NOT NULL,    -- RFC 3339: start of the first run of the row
	last    INTEGER NOT NULL, -- start of the last run that found it
	PRIMARY KEY (system, verb, target, id, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
	digest TEXT PRIMARY KEY,
	system TEXT NOT NULL,
	made   INTEGER NOT NULL,
	body   TEXT NOT NULL
) STRICT;
CREATE INDEX plans_by_system ON plans (system, made);

CREATE TABLE notes (
	seq    INTEGER PRIMARY KEY, -- of the record
	at     TEXT NOT NULL,
	system TEXT NOT NULL,
	kind   TEXT NOT NULL,
	body   TEXT NOT NULL
) STRICT;
CREATE INDEX notes_by_kind ON notes (system, kind, seq);
