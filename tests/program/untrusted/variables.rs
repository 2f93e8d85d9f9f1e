//! Variables of other applications, which a compose file of the repository puts into images, paths and commands.

use std::fs::{create_dir, create_dir_all, write};

use super::{leaks, repository};
use crate::PROGRAM;

/// Texts with a variable wherever the program looks.
const SERVICE: &str = "services:
  db:
    image: \"kasmweb/postgres:${TOKEN}\"
    container_name: kasm_db
    command: postgres -c max_connections=${TOKEN} -c config_file=/${TOKEN} -c shared_preload_libraries=pgaudit,${TOKEN}
    environment: {PGDATA: \"/x/${TOKEN}\"}
    volumes: [\"./pg.conf:/etc/${TOKEN}.conf\", \"./${TOKEN}:/var/log/postgres\"]
";

const NAMES: &str = "services:
  db:
    image: \"${TOKEN}/postgres:14\"
    container_name: kasm_db
    extends: {file: \"${TOKEN}.yaml\", service: \"${TOKEN}\"}
    env_file: [\"${TOKEN}.env\"]
    command: postgres -c ${TOKEN}=1 --${TOKEN}=2 -c pgaudit.role=${TOKEN} -c log_directory=/${TOKEN} -c work_mem=${TOKEN}
    profiles: [\"${TOKEN}\"]
";

const STRANGER: &str = "services:\n  db: {image: \"mysql:${TOKEN}\"}\n";

const UNSET: &str = "services:\n  db: {image: \"postgres:${NOPE:-${TOKEN}}\", container_name: kasm_db}\n";

const CONF: &str = "services:
  db:
    image: postgres:14
    container_name: kasm_db
    command: postgres -c config_file=/etc/${TOKEN}.conf -c shared_preload_libraries=pgaudit,${TOKEN}
    volumes: [\"./pg.conf:/etc/${TOKEN}.conf\"]
";

const INCLUDES: &str = "services:\n  db: {image: \"kasmweb/postgres:1.10.0\", container_name: kasm_db}\n\
                        include: [\"${TOKEN}.yaml\", {path: \"d/${TOKEN}.yaml\", env_file: \"${TOKEN}.env\"}]\n";

/// What a secret may look like: as such, as an address, as words, and with signs that a path, a command line and the name of a
/// setting lose.
const VALUES: [&str; 4] =
    ["Zq7token", "post://Zq7user:Zq7pass@Zq7host/./Zq7db", "Zq7one Zq7two", "Zq7-Dash-AbC"];

const COMMANDS: [&str; 24] = [
    "validate",
    "plan",
    "plan --format json",
    "plan --format patch",
    "plan --context 1000 -vv --out saved.json",
    "show saved.json",
    "show saved.json --format json",
    "render",
    "render --check",
    "render --format json",
    "status",
    "status --format json",
    "verify --format json",
    "history --format json",
    "audit",
    "audit --format json",
    "import --compose c.yaml --conf pg.conf -o -",
    "import --compose c.yaml -o out.kasm-db.yaml",
    "import --compose c.yaml --conf pg.conf --all-settings -o - --format json",
    "apply --dry-run --format json",
    "apply --yes",
    "apply saved.json",
    "rollback --yes --format json",
    "recover",
];

#[test]
fn the_value_of_a_variable_is_never_shown() {
    let document = |compose: &str| {
        format!(
            "schema: kasm-db/v1\nimage: kasmweb/postgres:1.11.0\npreload: {{libraries: [pgaudit]}}\nverify: {{connect: none}}\n\
             targets: [{{name: t, files: {{compose: [{compose}], postgresql_conf: pg.conf}}}}]\n"
        )
    };
    let include = "include: [{path: inc.yaml, env_file: ../home/app}]\n";
    let own = |text| vec![("c.yaml", text)];
    let mut looked_at = 0;
    for (what, compose, files) in [
        ("of an include", "c.yaml", vec![("c.yaml", include), ("inc.yaml", SERVICE)]),
        ("of an include's path", "c.yaml", vec![("c.yaml", include), ("inc.yaml", INCLUDES)]),
        ("of another project", "../app/compose.yaml, c.yaml", own(SERVICE)),
        ("of its own", "c.yaml", own(SERVICE)),
        ("in names", "c.yaml", own(NAMES)),
        ("of another database", "c.yaml", own(STRANGER)),
        ("in a default", "c.yaml", own(UNSET)),
        ("of the path of the configuration", "c.yaml", own(CONF)),
        ("of its own includes", "c.yaml", own(INCLUDES)),
    ] {
        let mut names = 0;
        for value in VALUES {
            let sandbox = repository(PROGRAM);
            let at = |path: &str| sandbox.root().join(path);
            let env = format!("TOKEN={value}\n");
            create_dir(at("app")).unwrap();
            for file in ["home/app", "app/.env", "repo/.env"] {
                write(at(file), &env).unwrap();
            }
            write(at("app/compose.yaml"), "services: {web: {image: \"web:1\"}}\n").unwrap();
            create_dir_all(at("repo/d")).unwrap();
            write(at("repo/pg.conf"), "port = 5432\n").unwrap();
            write(at("repo/kasm-db.yaml"), document(compose)).unwrap();
            files.iter().for_each(|(name, text)| write(at("repo").join(name), text).unwrap());
            for command in COMMANDS {
                let mut run = sandbox.command(PROGRAM);
                let output = run.current_dir(at("repo")).args(command.split(' ')).output().unwrap();
                for text in [&output.stdout, &output.stderr] {
                    assert_eq!(leaks(text), [""; 0], "{what}, {value}: {command}");
                    names += String::from_utf8_lossy(text).matches("${TOKEN}").count();
                }
                looked_at += 1;
            }
            for (path, seen) in sandbox.seen(&at("repo")) {
                if !path.ends_with(".env") {
                    assert_eq!(leaks(&seen.content), [""; 0], "{what}, {value}: {}", path.display());
                }
            }
        }
        assert!(names > 0, "{what}: the variable is not said anywhere");
    }
    println!("{looked_at} runs, no value of a variable");
}

/// A version is no secret, and a document that says nothing of the image would be of no use to whoever keeps it in a variable.
#[test]
fn an_image_that_everybody_can_get_is_imported_from_a_variable() {
    let sandbox = repository(PROGRAM);
    let at = |path: &str| sandbox.root().join(path);
    write(at("repo/.env"), "VERSION=1.11.0\n").unwrap();
    let compose = "services:\n  db: {image: \"kasmweb/postgres:${VERSION}\", container_name: kasm_db}\n";
    write(at("repo/c.yaml"), compose).unwrap();
    let run = sandbox.run("import --compose repo/c.yaml -o -").expect(0);
    assert!(run.stdout.contains("written `kasmweb/postgres:${VERSION}`"), "{run}");
    assert!(run.stdout.contains("\nimage: kasmweb/postgres:1.11.0\n"), "{run}");
    write(at("repo/.env"), "VERSION=1.11.0-Zq7\n").unwrap();
    let run = sandbox.run("import --compose repo/c.yaml -o -").expect(0);
    assert!(run.stdout.contains("# So this document says nothing of the image."), "{run}");
}
