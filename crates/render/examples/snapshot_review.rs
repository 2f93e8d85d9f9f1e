//! Reviews a document by a snapshot: what would change, what it costs, and every file as it would be.
//!
//! `cargo run -p kasm-db-render --example snapshot_review` prints the review. A repository of documents
//! asserts it in a test, as `tests/snapshot_review.rs` does here with `insta`: then a merge request that
//! changes a document shows what that does to each file. No secret is in it, so it can be committed.

use std::fmt::Write as _;

use kasm_db_render::{Needs, Snapshot, Target, TargetKind, model, observe, reconcile, rendered};

/// Returns the review of a document for a compose file and a postgresql.conf.
///
/// # Errors
/// The document's errors, one a line.
pub(crate) fn review(document: &str, files: &Snapshot) -> Result<String, String> {
    let reading = model::read("kasm-db.yaml", document.as_bytes());
    let Some(desired) = reading.desired else {
        let errors = reading.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.clone());
        return Err(errors.collect::<Vec<_>>().join("\n"));
    };
    let kind = TargetKind::Files {
        compose: vec!["compose.yaml".into()],
        postgresql_conf: Some("postgresql.conf".into()),
        service: None,
    };
    let observed = observe(&Target::new("review", kind), files);
    let plan = reconcile(&desired, &observed);
    let mut out = String::new();
    for change in &plan.changes {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not set)".into());
        let (before, after) = (value(&change.before), value(&change.after));
        let _ = writeln!(out, "{}: {before} -> {after}", change.subject);
    }
    let cost = match plan.needs() {
        Needs::Nothing => "nothing",
        Needs::Reload => "a reload",
        Needs::Restart => "a restart",
        Needs::Recreate => "a new container",
    };
    let _ = writeln!(out, "needs {cost}");
    for blocker in plan.blockers() {
        let _ = writeln!(out, "refused: {}", blocker.message);
    }
    for file in rendered(&desired, &observed, &plan) {
        let _ = write!(out, "\n=== {}\n{}", file.path, String::from_utf8_lossy(&file.text));
    }
    Ok(out)
}

/// A deployment that was never touched; a real review reads the files from where they are checked out.
pub(crate) fn stock() -> Snapshot {
    Snapshot::from_iter([
        (
            "compose.yaml",
            "services:\n  db:\n    image: postgres:12-alpine\n    environment:\n      POSTGRES_PASSWORD: dummy\n    \
             command: postgres -c config_file=/conf\n    volumes: [./postgresql.conf:/conf]\n",
        ),
        ("postgresql.conf", "# ours\n#shared_preload_libraries = ''\nwork_mem = 4MB\n"),
    ])
}

/// What is wanted of it.
pub(crate) const DOCUMENT: &str = "\
schema: kasm-db/v1
image: kasmweb/postgres:1.11.0
preload: {libraries: [pgaudit]}
audit: {classes: [ddl, role]}
";

#[allow(dead_code, reason = "the test takes the rest")]
#[allow(clippy::print_stdout, reason = "an example shows what it made")]
fn main() {
    match review(DOCUMENT, &stock()) {
        Ok(text) => print!("{text}"),
        Err(errors) => println!("{errors}"),
    }
}
