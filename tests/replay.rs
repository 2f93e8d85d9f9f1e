//! Replays the committed corpora of the fuzz targets, without the fuzzer.

use testing::fuzz::{audit_log, compose_edit, conf_edit, document, journal, replay};

#[test]
fn the_corpus_of_conf_edit_holds() {
    replay("conf_edit", conf_edit::run);
}

#[test]
fn the_corpus_of_compose_edit_holds() {
    replay("compose_edit", compose_edit::run);
}

#[test]
fn the_corpus_of_document_holds() {
    replay("document", document::run);
}

#[test]
fn the_corpus_of_journal_holds() {
    replay("journal", journal::run);
}

#[test]
fn the_corpus_of_audit_log_holds() {
    replay("audit_log", audit_log::run);
}
