-- Small values that kinds keep per target between runs. No history: neither part
-- of the chain nor a read model.
CREATE TABLE state (
	system TEXT NOT NULL,
	target TEXT NOT NULL,
	key    TEXT NOT NULL,
	value  TEXT NOT NULL,
	PRIMARY KEY (system, target, key)
) STRICT, WITHOUT ROWID;
