//! What a run can meet: each format has something to say about each of these.

use std::fs;

use testing::Sandbox;

/// Something that a run can meet.
pub(crate) struct Situation {
    /// Its name, which is part of a snapshot's.
    pub(crate) name: &'static str,
    /// Changes what is there without it: a target with nothing to do.
    arrange: fn(&Sandbox),
}

/// Every situation.
pub(crate) const SITUATIONS: &[Situation] = &[
    Situation { name: "no-change", arrange: |_| {} },
    Situation {
        name: "changes",
        arrange: |sandbox| {
            edit(sandbox, "one/docker/docker-compose.yaml", IMAGE, "postgres:14-alpine");
            edit(sandbox, "one/conf/database/postgresql.conf", "8MB", "4MB");
            edit(sandbox, "one/conf/database/postgresql.conf", "shared_preload", "#shared_preload");
        },
    },
    Situation {
        name: "warnings",
        arrange: |sandbox| {
            edit(sandbox, "kasm-db.yaml", DIGEST, "");
            edit(
                sandbox,
                "one/docker/docker-compose.yaml",
                "    command",
                "    restart: always\n    command",
            );
        },
    },
    Situation {
        name: "blockers",
        arrange: |sandbox| {
            edit(sandbox, "one/docker/docker-compose.yaml", IMAGE, "postgres:12-alpine");
            edit(sandbox, "one/conf/database/postgresql.conf", "work_mem = 8MB", "work_mem =");
        },
    },
    Situation {
        name: "invalid-document",
        arrange: |sandbox| {
            edit(sandbox, "kasm-db.yaml", "audit: {classes: [ddl]}", "audit: {clases: [raed]}");
        },
    },
    Situation {
        name: "missing-target",
        arrange: |sandbox| edit(sandbox, "kasm-db.yaml", "deployment: one", "deployment: nowhere"),
    },
    Situation {
        name: "two-targets",
        arrange: |sandbox| {
            testing::copy(&sandbox.root().join("one"), &sandbox.root().join("two"));
            edit(sandbox, "two/conf/database/postgresql.conf", "8MB", "4MB");
            edit(
                sandbox,
                "kasm-db.yaml",
                "deployment: one}\n",
                "deployment: one}\n  - {name: two, deployment: two}\n",
            );
        },
    },
];

const IMAGE: &str =
    "kasmweb/postgres:1.16.0@sha256:00000000000000000000000000000000000000000000000000000000000000aa";
const DIGEST: &str = "@sha256:00000000000000000000000000000000000000000000000000000000000000aa";

/// What a document declares, and what is there already. The server is not asked: what runs here is not part of the situation.
const DOCUMENT: &str = "\
schema: kasm-db/v1
image: IMAGE
preload: {libraries: [pgaudit]}
audit: {classes: [ddl]}
settings: {work_mem: 8MB}
verify: {connect: none}
targets:
  - {name: one, deployment: one}
";

const COMPOSE: &str = "\
services:
  db:
    image: IMAGE
    restart: always
    command: postgres -c config_file=/etc/kasm/postgresql.conf
    volumes: ['../conf/database/postgresql.conf:/etc/kasm/postgresql.conf']
    environment:
      POSTGRES_PASSWORD: not-to-be-shown
";

const CONF: &str = "\
# - Memory -

work_mem = 8MB

# - Shared Library Preloading -

shared_preload_libraries = 'pgaudit'

pgaudit.log = 'ddl'
";

impl Situation {
    /// Creates the files of the situation.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new(crate::PROGRAM);
        let write = |path: &str, text: &str| {
            let path = sandbox.root().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("IMAGE", IMAGE)).unwrap();
        };
        write("kasm-db.yaml", DOCUMENT);
        write("one/docker/docker-compose.yaml", COMPOSE);
        write("one/conf/database/postgresql.conf", CONF);
        (self.arrange)(&sandbox);
        sandbox
    }
}

fn edit(sandbox: &Sandbox, path: &str, from: &str, to: &str) {
    sandbox.edit(&sandbox.root().join(path), from, to);
}
