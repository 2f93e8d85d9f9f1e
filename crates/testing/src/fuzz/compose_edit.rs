//! Any bytes as a compose file: the laws of whole plans hold.

use std::sync::LazyLock;

use model::DesiredState;

use crate::laws::laws;
use crate::{Memory, desired, files_target};

const CONF: &[u8] = b"#work_mem = 4MB\nshared_preload_libraries = 'auto_explain'\n";

static DESIRED: LazyLock<DesiredState> = LazyLock::new(|| {
    desired(
        "schema: kasm-db/v1\nimage: kasmweb/postgres:1.16.1\npreload: {libraries: [pgaudit]}\n\
         audit: {classes: [ddl]}\nsettings: {work_mem: 8MB}\n",
    )
});

/// Runs the target with one input.
pub fn run(input: &[u8]) {
    let files = Memory::new([("compose.yaml", input), ("postgresql.conf", CONF)]);
    laws(&DESIRED, &files_target(&files), &files);
}
