//! Every code and every field has an explanation, and the examples of codes are about them.

use std::collections::BTreeSet;

use model::Code;
use model::explain::fields;
use testing::Sandbox;

use crate::PROGRAM;
use crate::documents::compare;

fn explain(sandbox: &Sandbox, subject: &str) -> String {
    sandbox.run(&format!("explain {subject}")).expect(0).stdout
}

#[test]
fn every_code_and_every_field_is_explained_and_the_text_stays_the_same() {
    let sandbox = Sandbox::new(PROGRAM);
    let codes: Vec<_> = Code::ALL.iter().map(|code| explain(&sandbox, code.id())).collect();
    let fields: Vec<_> = fields().iter().map(|field| explain(&sandbox, &field.path)).collect();
    let rule = format!("\n{}\n", "-".repeat(100));
    compare("explain/codes.txt", &codes.join(&rule)).unwrap();
    compare("explain/fields.txt", &fields.join(&rule)).unwrap();
    compare("explain/list.txt", &sandbox.run("explain").expect(0).stdout).unwrap();
}

#[test]
fn codes_and_fields_are_found_in_any_letter_case() {
    let sandbox = Sandbox::new(PROGRAM);
    assert_eq!(explain(&sandbox, "kdb101"), explain(&sandbox, "UNKNOWN-KEY"));
    assert_eq!(explain(&sandbox, "Audit.LOG_catalog"), explain(&sandbox, "audit.log_catalog"));
    assert!(explain(&sandbox, "settings.WAL_KEEP_SIZE").contains("PostgreSQL 13 to 18: a whole number"));
    for (subject, meant) in [
        ("shared_bufers", "shared_buffers"),
        ("libaries", "libraries"),
        ("audit.log_catalogue", "audit.log_catalog"),
        ("settings.wrok_mem", "settings.work_mem"),
        ("unknow-key", "unknown-key"),
    ] {
        let run = sandbox.run(&format!("explain {subject}")).expect(64);
        assert!(run.stderr.contains(&format!("run `kasm-db explain {meant}`")), "{run}");
    }
    let run = sandbox.run("explain banana").expect(64);
    assert!(run.stdout.is_empty() && !run.stderr.contains("explain b"), "{run}");
}

#[test]
fn a_bare_name_shows_all_that_it_means() {
    let sandbox = Sandbox::new(PROGRAM);
    assert_eq!(explain(&sandbox, "shared_buffers"), explain(&sandbox, "settings.shared_buffers"));
    assert_eq!(explain(&sandbox, "pgaudit.log"), explain(&sandbox, "audit.classes"));
    assert_eq!(explain(&sandbox, "libraries"), explain(&sandbox, "preload.libraries"));
    let names = ["log_statement", "shared_preload_libraries", "wal_keep_segments", "checkpoint_segments"];
    let texts: Vec<_> = names.iter().map(|name| explain(&sandbox, name)).collect();
    compare("explain/names.txt", &texts.join(&format!("\n{}\n", "-".repeat(100)))).unwrap();
}

/// The example is a whole document; a reader who writes it sees this code, and only this one.
#[test]
fn the_example_of_each_code_of_the_document_triggers_it_and_nothing_else() {
    for code in Code::ALL.iter().filter(|code| code.is_of_document()) {
        let itself = |path: &str| match path {
            "kasm-db.yaml" => Ok(code.example().into()),
            _ => Err("no such file".to_string()),
        };
        let reading = model::read_with("kasm-db.yaml", code.example().as_bytes(), &itself);
        let codes: BTreeSet<_> = reading.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes, [*code].into(), "{}", code.example());
    }
}

/// What a reader is told of a code is worth nothing where nobody knows what brings it up.
#[test]
fn every_code_is_triggered_by_a_document_a_target_or_a_server_of_its_own() {
    let elsewhere: BTreeSet<_> = crate::documents::planned::codes()
        .into_iter()
        .chain(crate::documents::on_disk::CODES)
        .chain(crate::documents::running::codes())
        .collect();
    for code in Code::ALL {
        assert!(code.is_of_document() != elsewhere.contains(code), "{code}: {}", code.name());
    }
}
