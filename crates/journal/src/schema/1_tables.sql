CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Salts the hashes of paths, so that journals of two machines cannot be joined by them.
INSERT INTO meta (key, value) VALUES ('salt', randomblob(32));

CREATE TABLE suggestion (
    id                TEXT PRIMARY KEY NOT NULL, -- ULID
    at                INTEGER NOT NULL,          -- Unix microseconds
    session           TEXT NOT NULL,
    document          TEXT NOT NULL,             -- salted hash of the path
    path_policy       TEXT NOT NULL,             -- open | denied
    language          TEXT NOT NULL,
    checkpoint        TEXT NOT NULL,
    arm               TEXT NOT NULL,
    format            TEXT NOT NULL,
    format_version    INTEGER NOT NULL,
    prompt_sha256     TEXT,
    trigger           TEXT NOT NULL,             -- invoked | automatic
    shape             TEXT,                      -- one_line | block
    prompt_tokens     INTEGER,
    cached_tokens     INTEGER,
    completion_tokens INTEGER,
    delay_us          INTEGER,
    queue_us          INTEGER,
    render_us         INTEGER,
    prefill_us        INTEGER,
    first_token_us    INTEGER,
    decode_us         INTEGER,
    clean_up_us       INTEGER,
    guard_us          INTEGER,
    total_us          INTEGER,
    completion        TEXT,                      -- only where text may be kept
    withheld          TEXT,                      -- why the text is not there
    completion_bytes  INTEGER,
    stop_reason       TEXT,
    guard             TEXT,                      -- off | pass | flag | block
    guard_kind        TEXT,
    guard_detail      TEXT,                      -- only where text may be kept
    seed              INTEGER,                   -- the bits of an unsigned number
    silence           TEXT                       -- why nothing was given
) STRICT;

CREATE TABLE outcome (
    suggestion TEXT NOT NULL,
    event      TEXT NOT NULL,
    sequence   INTEGER NOT NULL,
    at         INTEGER NOT NULL,                 -- Unix microseconds
    extent     TEXT,                             -- whole | word | line
    chars      INTEGER,
    reason     TEXT,
    inferred   INTEGER NOT NULL,
    PRIMARY KEY (suggestion, event, sequence)
) STRICT, WITHOUT ROWID;
