//! The private event journal: schema, writer, reader, redaction.
