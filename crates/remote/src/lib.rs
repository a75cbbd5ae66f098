//! All HTTP of the project: model downloads and remote completion backends.
