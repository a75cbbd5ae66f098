PRAGMA application_id = 0x54466a6c;
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
INSERT INTO suggestion (id, at, session, document, path_policy, language, checkpoint, arm, format,
                        format_version, trigger, completion)
VALUES ('01HF7YAT00000000000000000A', 1, 's', 'd', 'open', 'rust', 'c', 'base', 'causal', 1,
        'invoked', 'x'),
       ('01HF7YAT00000000000000000B', 2, 's', 'd', 'open', 'rust', 'c', 'base', 'causal', 1,
        'automatic', NULL);
INSERT INTO outcome (suggestion, event, sequence, at, inferred)
VALUES ('01HF7YAT00000000000000000A', 'shown', 0, 2, 1);
PRAGMA user_version = 1;
