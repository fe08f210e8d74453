//! The `ironrdp` command.
fn main() {}
