//! Replays the committed corpora of the fuzz targets that look at the program's own parts, without the fuzzer.

use testing::fuzz::{plan_file, replay, shown};

#[test]
fn the_corpus_of_plan_file_holds() {
    replay("plan_file", plan_file::run);
}

#[test]
fn the_corpus_of_shown_holds() {
    replay("shown", shown::run);
}
