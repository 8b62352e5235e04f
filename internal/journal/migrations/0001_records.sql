-- The journal itself: what happened, in order, each record sealed over the one
-- before it.
CREATE TABLE records (
	seq      INTEGER PRIMARY KEY, -- 1, 2, 3 … without gaps
	at       TEXT NOT NULL,       -- RFC 3339
	system   TEXT NOT NULL,
	kind     TEXT NOT NULL,
	run      TEXT NOT NULL,       -- empty for what belongs to no run
	body     TEXT NOT NULL,       -- JSON, as it was sealed: its bytes count
	previous TEXT NOT NULL,       -- hash of the record before; empty for the first
	hash     TEXT NOT NULL        -- over all of the above
) STRICT;

CREATE UNIQUE INDEX records_never_fork ON records (previous);

-- These stop mistakes. Whoever means harm drops them; the chain shows that.
CREATE TRIGGER records_are_not_changed BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER records_are_not_deleted BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER records_are_appended BEFORE INSERT ON records
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM records)
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
