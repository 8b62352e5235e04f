-- How far each stream was read.
CREATE TABLE stream (
	name   TEXT PRIMARY KEY,
	cursor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How much of each file of the archive counts, in bytes.
CREATE TABLE file (
	day    TEXT NOT NULL,
	stream TEXT NOT NULL,
	length INTEGER NOT NULL,
	PRIMARY KEY (day, stream)
) STRICT, WITHOUT ROWID;

-- What one collection leaves to the next.
CREATE TABLE kept (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
