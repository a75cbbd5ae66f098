-- The first suggestion of the same request: alternatives are rows of their own.
ALTER TABLE suggestion ADD COLUMN request TEXT;
-- The unit of randomisation: a salted hash of what was assigned together.
ALTER TABLE suggestion ADD COLUMN unit TEXT;
-- The generation of `serving.json` that assigned it.
ALTER TABLE suggestion ADD COLUMN generation INTEGER;
-- The share of the units that each arm had then, as JSON.
ALTER TABLE suggestion ADD COLUMN shares TEXT;
-- The shown suggestion that a shadow arm's stands beside.
ALTER TABLE suggestion ADD COLUMN shadow_of TEXT;
-- Salted hashes of the repository, and of all folders above the document, by which a folder is forgotten.
ALTER TABLE suggestion ADD COLUMN repository TEXT;
ALTER TABLE suggestion ADD COLUMN folders TEXT;
-- SHA-256 of what the prompt was made from, each side as it was sent.
ALTER TABLE suggestion ADD COLUMN prefix_sha256 TEXT;
ALTER TABLE suggestion ADD COLUMN suffix_sha256 TEXT;
-- Token ids as LEB128 numbers, only where text may be kept: with the seed, what a replay needs.
ALTER TABLE suggestion ADD COLUMN prompt_token_ids BLOB;
ALTER TABLE suggestion ADD COLUMN completion_token_ids BLOB;

-- Of what `chars` were kept, or agree.
ALTER TABLE outcome ADD COLUMN of_chars INTEGER;
-- Seconds from the acceptance to the sample.
ALTER TABLE outcome ADD COLUMN after_s INTEGER;

-- What stands at a suggestion's place once it is settled; only where text may be kept.
CREATE TABLE hole (
    suggestion TEXT PRIMARY KEY NOT NULL,
    at         INTEGER NOT NULL,                 -- Unix microseconds
    prefix     TEXT NOT NULL,
    golden     TEXT NOT NULL,
    suffix     TEXT NOT NULL,
    kind       TEXT NOT NULL,                    -- line | block
    own        TEXT NOT NULL                     -- byte ranges of the golden text that models wrote, as JSON
) STRICT, WITHOUT ROWID;
