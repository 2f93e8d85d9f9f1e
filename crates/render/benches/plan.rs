//! What the parts of a plan take: finding what is there, the changes with their proof, the proof alone, and what is shown.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::{Bencher, black_box};
use kasm_db_render::{
    ObservedState, Plan, Snapshot, Target, TargetKind, diff, model, observe, proved, reconcile,
};
use model::DesiredState;

const TREE: [(&str, &[u8]); 7] = [
    (
        "docker/docker-compose.yaml",
        include_bytes!("../../../examples/existing/opt/kasm/1.11.0/docker/docker-compose.yaml"),
    ),
    (
        "docker/.conf/docker-compose-agent.yaml",
        include_bytes!("../../../examples/existing/opt/kasm/1.11.0/docker/.conf/docker-compose-agent.yaml"),
    ),
    (
        "docker/.conf/docker-compose-all.yaml",
        include_bytes!("../../../examples/existing/opt/kasm/1.11.0/docker/.conf/docker-compose-all.yaml"),
    ),
    (
        "docker/.conf/docker-compose-app.yaml",
        include_bytes!("../../../examples/existing/opt/kasm/1.11.0/docker/.conf/docker-compose-app.yaml"),
    ),
    (
        "docker/.conf/docker-compose-db-redis.yaml",
        include_bytes!(
            "../../../examples/existing/opt/kasm/1.11.0/docker/.conf/docker-compose-db-redis.yaml"
        ),
    ),
    (
        "docker/.conf/docker-compose-db.yaml",
        include_bytes!("../../../examples/existing/opt/kasm/1.11.0/docker/.conf/docker-compose-db.yaml"),
    ),
    (
        "conf/database/postgresql.conf",
        include_bytes!("../../../examples/existing/opt/kasm/1.11.0/conf/database/postgresql.conf"),
    ),
];
const DOCUMENT: &[u8] = include_bytes!("../../../examples/existing/kasm-db.yaml");

fn main() {
    divan::main();
}

fn tree() -> Snapshot {
    Snapshot::from_iter(TREE)
}

fn target() -> Target {
    Target::new("current", TargetKind::Deployment)
}

fn planned() -> (DesiredState, ObservedState, Plan) {
    let desired = model::read("kasm-db.yaml", DOCUMENT).desired.unwrap();
    let observed = observe(&target(), &tree());
    let plan = reconcile(&desired, &observed);
    assert_eq!(plan.files.len(), 5);
    (desired, observed, plan)
}

#[divan::bench]
fn locate(bencher: Bencher<'_, '_>) {
    let (tree, target) = (tree(), target());
    bencher.bench_local(|| observe(black_box(&target), black_box(&tree)));
}

#[divan::bench]
fn reconcile_and_prove(bencher: Bencher<'_, '_>) {
    let (desired, observed, _) = planned();
    bencher.bench_local(|| reconcile(black_box(&desired), black_box(&observed)));
}

#[divan::bench]
fn reconcile_without_changes(bencher: Bencher<'_, '_>) {
    let (_, observed, _) = planned();
    let same = b"schema: kasm-db/v1\nimage: postgres:12-alpine\nsettings: {max_connections: 100}\n";
    let desired = model::read("kasm-db.yaml", same).desired.unwrap();
    assert!(reconcile(&desired, &observed).is_empty());
    bencher.bench_local(|| reconcile(black_box(&desired), black_box(&observed)));
}

#[divan::bench]
fn prove(bencher: Bencher<'_, '_>) {
    let (desired, observed, plan) = planned();
    bencher
        .with_inputs(|| plan.clone())
        .bench_local_values(|plan| proved(plan, black_box(&desired), black_box(&observed)));
}

#[divan::bench]
fn diff_redacted(bencher: Bencher<'_, '_>) {
    let (.., plan) = planned();
    bencher.bench_local(|| {
        let hunks = plan.files.iter().map(|file| diff::redacted_hunks(black_box(file), diff::CONTEXT).len());
        hunks.sum::<usize>()
    });
}
