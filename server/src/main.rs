//! `truefill`: see `truefill --help`.
fn main() {}
