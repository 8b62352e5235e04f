-- Pings that others send when they have run: the last of each, with their logs. No
-- history: neither part of the chain nor a read model.
CREATE TABLE pings (
	id      INTEGER PRIMARY KEY, -- in the order in which they came
	system  TEXT NOT NULL,
	name    TEXT NOT NULL,
	at      INTEGER NOT NULL,    -- nanoseconds since 1970
	signal  TEXT NOT NULL,       -- start, fail, log, an exit code; empty = success
	body    BLOB NOT NULL,       -- what came with it, cut to 100 kB
	whole   INTEGER NOT NULL     -- bytes that came with it
) STRICT;
CREATE INDEX pings_by_name ON pings (system, name, id);
