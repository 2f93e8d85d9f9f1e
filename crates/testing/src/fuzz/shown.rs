//! Any bytes behind secrets: what a plan shows of the file holds none of them, and nothing that a terminal obeys.

use std::sync::LazyLock;

use kasm_db::parts::{escape, escape_bytes, is_unsafe};
use model::DesiredState;
use render::diff::{redacted_hunks, unified};

use crate::{Memory, desired, files, plan};

/// Part of every secret. An input that has it could put it where it is shown.
const CANARY: &[u8] = b"Zq7";

const COMPOSE: &str = "\
services:
  db:
    image: postgres:12 # Zq7
    environment:
      - 'A=Zq7'
      - B=Zq7
    command: 'postgres -c a.b=Zq7'
    healthcheck: {test: \"Zq7\"}
";

const CONF: &str = "\
# Zq7
archive_command = 'Zq7 %p'
primary_conninfo = 'password=Zq7'
a.b = 'Zq7'
#a.c = 'Zq7'
work_mem = 4MB # Zq7
";

static DESIRED: LazyLock<DesiredState> = LazyLock::new(|| {
    let text = "schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\n\
                settings: {work_mem: 8MB, archive_command: 'cp'}\nunset: [primary_conninfo, a.b]\n";
    desired(text)
});

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    if input.windows(CANARY.len()).any(|window| window.eq_ignore_ascii_case(CANARY)) {
        return;
    }
    let [compose, conf] = [COMPOSE, CONF].map(|text| [text.as_bytes(), input].concat());
    let memory = Memory::new([("compose.yaml", &compose), ("postgresql.conf", &conf)]);
    let plan = plan(&DESIRED, &files(&["compose.yaml"], Some("postgresql.conf"), None), &memory);
    for file in &plan.files {
        for context in [0, 3, 1000] {
            shown(&escape_bytes(&unified(&file.path, &redacted_hunks(file, context))));
        }
        if let Ok(patch) = render::diff::patch(file, false) {
            assert!(!patch.windows(CANARY.len()).any(|window| window == CANARY), "a patch tells a secret");
        }
    }
    for change in &plan.changes {
        let values = [&change.before, &change.after, &change.why].into_iter().flatten();
        values.chain([&change.subject, &change.path]).for_each(|text| shown(&escape(text)));
    }
    for finding in &plan.findings {
        let texts = [&finding.label, &finding.help].into_iter().flatten();
        texts.chain([&finding.message]).for_each(|text| shown(&escape(text)));
    }
    shown(&escape_bytes(input));
}

fn shown(text: &str) {
    assert!(!text.contains("Zq7"), "a secret is shown:\n{text}");
    assert!(text.bytes().all(|b| b >= 0x20 || matches!(b, b'\n' | b'\t')), "a control character:\n{text:?}");
    assert!(!text.chars().any(is_unsafe), "an invisible character:\n{text:?}");
}
