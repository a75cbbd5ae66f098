//! `truefill-trainer`: see `truefill-trainer --help`.
fn main() {}
