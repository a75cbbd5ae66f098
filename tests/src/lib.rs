//! Drives the real binaries for the end-to-end tests.
