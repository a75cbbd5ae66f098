-- What was answered; never a failure.
CREATE TABLE IF NOT EXISTS replies (
    key            BLOB PRIMARY KEY,
    subject        TEXT NOT NULL,
    model          TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    reply          TEXT NOT NULL,
    input_tokens   INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    cost           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Attempts that were begun and are not settled. What stands here when a run starts was under way
-- when the run before it ended.
CREATE TABLE IF NOT EXISTS intents (
    id       INTEGER PRIMARY KEY,
    key      BLOB NOT NULL,
    subject  TEXT NOT NULL,
    reserved INTEGER NOT NULL
) STRICT;

-- One row: money in billionths.
CREATE TABLE IF NOT EXISTS totals (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    spent         INTEGER NOT NULL DEFAULT 0,
    lost          INTEGER NOT NULL DEFAULT 0,
    replies       INTEGER NOT NULL DEFAULT 0,
    attempts_lost INTEGER NOT NULL DEFAULT 0,
    input_tokens  INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT OR IGNORE INTO totals (only) VALUES (1);

-- Batches, from before their creation until their results are read.
CREATE TABLE IF NOT EXISTS batches (
    key      TEXT PRIMARY KEY,
    state    TEXT NOT NULL,
    reserved INTEGER NOT NULL,
    file_id  TEXT,
    batch_id TEXT
) STRICT, WITHOUT ROWID;
