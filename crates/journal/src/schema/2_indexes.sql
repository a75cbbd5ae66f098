-- Statistics read by time; forgetting a document reads by its hash.
CREATE INDEX suggestion_at ON suggestion (at, id);
CREATE INDEX suggestion_document ON suggestion (document);
