//! Any bytes as a journal or a manifest: what is read is what was written, and leads nowhere else.

use std::path::{Component, Path};

use commit::{Digest, Generation};

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    read(input);
    // Behind the checksum is the rest of the reader, and no fuzzer finds one.
    let body = match input.last() {
        Some(b'\n') | None => input.to_vec(),
        Some(_) => [input, b"\n"].concat(),
    };
    read(&[&body, format!("sha256 {}\n", Digest::of(&body)).as_bytes()].concat());
}

fn read(bytes: &[u8]) {
    let Ok(generation) = Generation::decode(bytes) else { return };
    assert_eq!(generation.encode(), bytes, "there is a second way to write it");
    let mut paths: Vec<&Path> = generation.files.iter().map(|file| file.path.as_path()).collect();
    for path in &paths {
        assert!(
            path.components().all(|part| matches!(part, Component::Normal(_))),
            "{path:?} leads elsewhere"
        );
        assert!(!path.starts_with(".kasm-db"), "{path:?} is our own");
    }
    let all = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), all, "a file is there twice");
    assert!(generation.files.iter().all(|file| file.mode <= 0o7777));
    // What is written down of a file is none of its content, so nothing of it can be shown.
    let _ = format!("{generation:?}");
}
