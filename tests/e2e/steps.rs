//! The steps behind an apply: which one is written down, and how often each command was called.

use crate::bed::Bed;

/// Returns the step that is written down; empty where none is.
pub(crate) fn step(bed: &Bed) -> String {
    let record = std::fs::read_to_string(bed.tree().join(".kasm-db/follow-up")).unwrap_or_default();
    record.lines().find_map(|line| line.strip_prefix("step ")).unwrap_or_default().to_string()
}

/// Puts a script in front of `bin/stop` or `bin/start`, which continues as `REAL`; each call of it is counted.
pub(crate) fn in_front(bed: &Bed, name: &str, text: &str) {
    let path = format!("bin/{name}");
    let real = bed.tree().join(format!("bin/{name}.real"));
    if !real.exists() {
        let before = bed.read(&path);
        bed.script(&format!("bin/{name}.real"), &before);
    }
    let calls = bed.root.join(format!("{name}-calls")).display().to_string();
    let text = text.replace("REAL", &real.display().to_string());
    bed.script(&path, &format!("#!/bin/bash\necho called >> {calls}\necho it runs\n{text}\n"));
}

/// Returns how often the script in front was called.
pub(crate) fn count(bed: &Bed, name: &str) -> usize {
    let calls = std::fs::read_to_string(bed.root.join(format!("{name}-calls")));
    calls.unwrap_or_default().lines().count()
}
