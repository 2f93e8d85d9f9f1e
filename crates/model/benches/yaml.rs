//! What reading YAML takes: compose files as a tree, and documents with all checks.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use kasm_db_model::yaml::Tree;

const COMPOSE: &[u8] =
    include_bytes!("../../../examples/existing/opt/kasm/1.11.0/docker/docker-compose.yaml");
const DOCUMENT: &[u8] = include_bytes!("../../../examples/existing/kasm-db.yaml");

fn main() {
    divan::main();
}

#[divan::bench]
fn tree_of_a_compose_file(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_slice(COMPOSE)).bench(|| Tree::parse(black_box(COMPOSE)));
}

#[divan::bench]
fn document_with_all_checks(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_slice(DOCUMENT))
        .bench(|| kasm_db_model::read("kasm-db.yaml", black_box(DOCUMENT)));
}
