//! Reads documents with `serde_yaml` and nothing else: what `kasm-db validate` is held against.
//!
//! Usage: read_documents FILE…

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for the benchmark, not the library"
)]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut keys = 0;
    for path in std::env::args().skip(1) {
        let value: serde_yaml::Value = serde_yaml::from_slice(&std::fs::read(path)?)?;
        keys += value.as_mapping().map_or(0, serde_yaml::Mapping::len);
    }
    println!("{keys} keys");
    Ok(())
}
