//! tree-sitter: languages, holes, scopes, symbols, imports.
