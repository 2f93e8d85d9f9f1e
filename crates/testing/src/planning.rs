//! A plan by the library, as tests ask for it.

use model::DesiredState;
use render::{Plan, Target, TargetKind, observe, reconcile};

use crate::Memory;

/// Reads a document that must be valid.
#[track_caller]
pub fn desired(document: &str) -> DesiredState {
    let reading = model::read("kasm-db.yaml", document.as_bytes());
    let errors: Vec<_> = reading.diagnostics.iter().filter(|d| d.is_error()).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?} in\n{document}");
    reading.desired.unwrap()
}

/// Plans a target whose files are in memory.
pub fn plan(desired: &DesiredState, target: &Target, files: &Memory) -> Plan {
    reconcile(desired, &observe(target, files))
}

/// Creates a target of files by name.
pub fn files(compose: &[&str], postgresql_conf: Option<&str>, service: Option<&str>) -> Target {
    let kind = TargetKind::Files {
        compose: compose.iter().map(ToString::to_string).collect(),
        postgresql_conf: postgresql_conf.map(String::from),
        service: service.map(String::from),
    };
    Target { name: "test".into(), kind }
}

/// Creates a target of one compose file, one conf, or both, by their names in `files`.
pub fn files_target(files: &Memory) -> Target {
    let is_conf = |path: &&String| path.ends_with(".conf");
    let compose = files.0.keys().filter(|path| !is_conf(path)).cloned().collect();
    let postgresql_conf = files.0.keys().find(|path| path.ends_with("postgresql.conf")).cloned();
    Target { name: "t".into(), kind: TargetKind::Files { compose, postgresql_conf, service: None } }
}
