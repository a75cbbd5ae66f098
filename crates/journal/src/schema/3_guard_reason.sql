-- What speaks against the name that the guard does not know, as a code without names.
ALTER TABLE suggestion ADD COLUMN guard_reason TEXT;
