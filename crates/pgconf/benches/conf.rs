//! What reading and editing a `postgresql.conf` takes.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pgconf::{Conf, Editor, Quoting, apply};

const CONF: &[u8] =
    include_bytes!("../../../examples/existing/opt/kasm/1.11.0/conf/database/postgresql.conf");

fn main() {
    divan::main();
}

#[divan::bench]
fn lexer_and_entries(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_slice(CONF)).bench(|| Conf::parse(black_box(CONF)));
}

#[divan::bench]
fn effective_value(bencher: Bencher<'_, '_>) {
    let conf = Conf::parse(CONF);
    bencher.bench_local(|| conf.effective(black_box("Log_Timezone")).map(|entry| conf.value(entry)));
}

#[divan::bench]
fn edit(bencher: Bencher<'_, '_>) {
    let conf = Conf::parse(CONF);
    bencher.bench_local(|| {
        let mut editor = Editor::new(&conf);
        editor.set_new("shared_preload_libraries", black_box(b"pgaudit"), Quoting::Quoted).unwrap();
        apply(CONF, &editor.finish())
    });
}
