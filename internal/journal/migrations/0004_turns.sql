-- The ledger of turns: every moment at which a job was due, and what became of it.
-- Neither part of the chain nor a read model: rows are claimed before a run begins and
-- brought up to date; the runs themselves are sealed. Times are nanoseconds since 1970,
-- 0 for none.
CREATE TABLE turns (
	system TEXT NOT NULL,
	job    TEXT NOT NULL,
	due    INTEGER NOT NULL,
	state  TEXT NOT NULL CHECK (state IN ('enqueued', 'started', 'ended', 'missed', 'skipped', 'refused')),
	run    TEXT NOT NULL,    -- of the newest try
	tries  INTEGER NOT NULL,
	began  INTEGER NOT NULL, -- of an enqueued one: before which it does not begin
	ended  INTEGER NOT NULL,
	exit   INTEGER NOT NULL,
	detail TEXT NOT NULL,    -- why
	PRIMARY KEY (system, job, due) -- nothing is run twice
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_by_due ON turns (system, due);
CREATE INDEX turns_open ON turns (system, job, due) WHERE state IN ('enqueued', 'started');
CREATE INDEX turns_ended ON turns (system, job, ended) WHERE state = 'ended' AND exit = 0;

-- Up to when the turns of a job are in the ledger, in the form in which it was due.
CREATE TABLE marks (
	system TEXT NOT NULL,
	job    TEXT NOT NULL,
	form   TEXT NOT NULL,
	upto   INTEGER NOT NULL,
	PRIMARY KEY (system, job)
) STRICT, WITHOUT ROWID;
