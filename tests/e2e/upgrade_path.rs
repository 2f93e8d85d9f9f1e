//! What `upgrade-plan` prints, run as it is printed: every command of every step, on a deployment in the shape of Kasm's, with
//! scripts of our own that do what Kasm's do.
//!
//! The old server is PostgreSQL 15, as the new one, and only the path to a release is taken, unless `KASM_DB_UPGRADE_FROM` names the
//! folder of a PostgreSQL 14: `scripts/long upgrade`. There is no pgaudit for that one here. Another library takes its name, so that
//! the server can be told to load it and the dump holds the extension; nothing is audited before the upgrade.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use testing::InTerminal;

use crate::bed::{STOCK, WITH, docker, engine, has_no_engine, server_user};

const SCRIPTS: &[(&str, &str)] = &[
    ("start", include_str!("kasm/start")),
    ("stop", include_str!("kasm/stop")),
    ("utils/common", include_str!("kasm/common")),
    ("utils/db_backup", include_str!("kasm/db_backup")),
    ("utils/db_restore", include_str!("kasm/db_restore")),
    ("utils/db_upgrade", include_str!("kasm/db_upgrade")),
];

/// The image with the old server, and the one with the new server, as a site that builds its own names them.
const OLD: &str = "site/kasm-postgres:old";
const NEW: &str = "site/kasm-postgres:new";

const AUDIT: &str = "audit: {classes: [read, write, ddl]}\n";

/// A host with Kasm on it, below a folder; dropping it removes everything of it.
struct Host {
    _temp: TempDir,
    root: PathBuf,
    name: String,
    /// Releases whose volumes are there.
    releases: Vec<&'static str>,
}

/// A step, as `--format json` has it.
struct Step {
    title: String,
    commands: Vec<String>,
    back: String,
}

impl Host {
    /// Installs a release with a database, and starts it.
    fn with(name: &str, release: &'static str, image: &str) -> Self {
        let temp = tempfile::Builder::new().prefix("kasm-db-upgrade-").tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
        let name = format!("kasm_db_{name}_{}", std::process::id());
        let host = Self { _temp: temp, root, name, releases: vec![release] };
        host.programs();
        let tree = host.base().join(release);
        fs::create_dir_all(tree.join("docker/.conf")).unwrap();
        fs::create_dir_all(tree.join("log/postgres")).unwrap();
        host.write_tree(&tree, release, image);
        for file in ["docker-compose.yaml", ".conf/docker-compose-all.yaml"] {
            fs::write(tree.join("docker").join(file), host.compose_file(release, image)).unwrap();
        }
        for path in ["conf/database/postgresql.conf", "conf/database/pg_hba.conf", "log/postgres"] {
            chown(tree.join(path), Some(server_user()), Some(server_user())).unwrap();
        }
        symlink(&tree, host.base().join("current")).unwrap();
        docker(&["volume", "create", &host.volume(release)]);
        host
    }

    /// Fills the database as Kasm and its users do.
    fn fill(&self, release: &str) {
        self.bin(release, "start");
        self.wait();
        self.sql("CREATE EXTENSION pgaudit");
        self.sql(&format!("CREATE TABLE release AS SELECT '{release}' AS name"));
        self.sql(
            "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE); \
             CREATE TABLE sessions (id uuid PRIMARY KEY, owner int NOT NULL REFERENCES users, log bytea); \
             CREATE VIEW owners AS SELECT users.name, count(*) FROM users JOIN sessions ON owner = users.id GROUP BY 1; \
             INSERT INTO users (name) SELECT 'user ' || n FROM generate_series(1, 500) n; \
             INSERT INTO sessions SELECT md5(n::text)::uuid, n, decode(md5(n::text), 'hex') FROM generate_series(1, 500) n",
        );
    }

    /// Returns what must be the same before and after.
    fn data(&self) -> String {
        self.sql(
            "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (SELECT u.*, s.* FROM users u JOIN sessions s ON owner = u.id) t",
        ) + &self.sql("SELECT count(*), sum(count) FROM owners")
            + &self.sql("SELECT last_value FROM users_id_seq")
    }

    /// Puts what the commands need in front of the path: a `sudo` that keeps no more of the environment than sudo does.
    fn programs(&self) {
        let bin = self.root.join("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_kasm-db"), bin.join("kasm-db")).unwrap();
        let sudo = format!(
            "#!/bin/bash\nexec env -i \"PATH=$PATH\" \"HOME=$HOME\" \"TERM=dumb\" DOCKER_HOST={} COMPOSE_PROJECT_NAME={} \"$@\"\n",
            engine().unwrap(),
            self.name,
        );
        write_script(&bin.join("sudo"), &sudo);
        let plugins = self.root.join(".docker/cli-plugins");
        fs::create_dir_all(&plugins).unwrap();
        symlink(crate::bed::compose(), plugins.join("docker-compose")).unwrap();
    }

    fn base(&self) -> PathBuf {
        self.root.join("opt/kasm")
    }

    fn volume(&self, release: &str) -> String {
        format!("{}_{release}", self.name)
    }

    fn compose_file(&self, release: &str, image: &str) -> String {
        docker(&["tag", WITH, &format!("kasmweb/api:{release}")]);
        include_str!("kasm/docker-compose.yaml")
            .replace("IMAGE", image)
            .replace("NAME", &self.name)
            .replace("RELEASE", release)
            .replace("BASE", self.base().to_str().unwrap())
    }

    /// Writes what a tree and an installer have in common.
    fn write_tree(&self, folder: &Path, release: &str, image: &str) {
        for sub in ["bin/utils", "conf/database", "docker"] {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        for (name, text) in SCRIPTS {
            write_script(&folder.join("bin").join(name), text);
        }
        let conf = include_str!("conf/postgresql.conf").replace(
            "listen_addresses = '*'",
            "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'",
        );
        fs::write(folder.join("conf/database/postgresql.conf"), conf).unwrap();
        fs::write(folder.join("conf/database/pg_hba.conf"), include_str!("conf/pg_hba.conf")).unwrap();
        let compose = self.compose_file(release, image);
        fs::write(folder.join("docker/docker-compose-all.yaml"), compose).unwrap();
    }

    /// Unpacks the installer of a release, whose own image has no pgaudit.
    fn unpack(&mut self, release: &'static str) {
        self.unpack_with(release, STOCK);
    }

    fn unpack_with(&mut self, release: &'static str, image: &str) {
        let folder = self.root.join("kasm_release");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        self.write_tree(&folder, release, image);
        fs::write(folder.join("base"), self.base().to_str().unwrap()).unwrap();
        fs::write(folder.join("release"), release).unwrap();
        fs::write(folder.join("user"), server_user().to_string()).unwrap();
        write_script(&folder.join("upgrade.sh"), include_str!("kasm/upgrade.sh"));
        if !self.releases.contains(&release) {
            self.releases.push(release);
        }
    }

    fn document(&self, text: &str) {
        let text = text.replace("NAME", &self.name);
        fs::write(self.root.join("kasm-db.yaml"), text).unwrap();
    }

    fn edit_document(&self, from: &str, to: &str) {
        let path = self.root.join("kasm-db.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", format!("{}:{}", self.root.join("bin").display(), std::env::var("PATH").unwrap()))
            .env("HOME", &self.root)
            .env("TERM", "dumb")
            .env("DOCKER_HOST", engine().unwrap())
            .env("COMPOSE_PROJECT_NAME", &self.name);
        command
    }

    /// Runs a line in a terminal, as somebody does who agrees to what is asked.
    fn line(&self, line: &str) -> (Option<i32>, String) {
        eprintln!("$ {line}");
        let mut terminal = InTerminal::start_whole(self.command("bash", &["-c", line]));
        terminal.answer(if line.contains("kasm-db ") { "yes\n" } else { "y\n" });
        let code = terminal.end();
        eprintln!("{}[{code:?}]", terminal.said.replace('\r', ""));
        (code, terminal.said)
    }

    /// Runs a line that must succeed.
    #[track_caller]
    fn must(&self, line: &str) -> String {
        let (code, said) = self.line(line);
        assert_eq!(code, Some(0), "{line}\n{said}");
        said
    }

    /// Runs a step to its end.
    #[track_caller]
    fn take(&self, step: &Step) -> String {
        eprintln!("## {}", step.title);
        step.commands.iter().map(|command| self.must(command)).collect()
    }

    /// Runs the commands of the way back.
    #[track_caller]
    fn go_back(&self, step: &Step) {
        eprintln!("## Back from: {}", step.title);
        let parts = step.back.split('`').skip(1).step_by(2).filter(|part| !part.starts_with("git "));
        parts.for_each(|command| {
            self.must(command);
        });
    }

    /// Asks for the path.
    #[track_caller]
    fn path(&self, arguments: &str) -> Vec<Step> {
        let line = format!("kasm-db upgrade-plan --format json {arguments}");
        let output = self.command("bash", &["-c", &line]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", lossy(&output));
        assert!(!lossy(&output).contains("canary-5f1d"), "{}", lossy(&output));
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_string();
        let steps = value["targets"][0]["steps"].as_array().unwrap();
        let step = |step: &Value| Step {
            title: text(&step["title"]),
            commands: step["commands"].as_array().unwrap().iter().map(text).collect(),
            back: text(&step["back"]),
        };
        steps.iter().map(step).collect()
    }

    fn bin(&self, release: &str, script: &str) {
        let path = self.base().join(release).join("bin").join(script);
        let output = self.command(path.to_str().unwrap(), &[]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", lossy(&output));
    }

    fn wait(&self) {
        let ready = format!("until docker exec {} pg_isready -qh localhost; do sleep 0.1; done", self.name);
        self.must(&format!("timeout 60 bash -c '{ready}'"));
    }

    #[track_caller]
    fn sql(&self, sql: &str) -> String {
        let arguments =
            ["exec", &self.name, "psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-U", "kasmapp", "-d", "kasm"];
        docker(&[&arguments[..], &["-c", sql]].concat()).trim().to_string()
    }

    /// Looks at what is there at the end: the data, by the new server, of the new release, with an entry of a statement of ours.
    #[track_caller]
    fn proves(&self, release: &str, tables: &str, data: &str) {
        assert!(self.sql("SHOW server_version").starts_with("15."));
        assert_eq!(self.sql("SELECT name FROM release"), tables);
        assert_eq!(self.data(), data);
        self.sql("INSERT INTO users (name) VALUES ('after the upgrade')");
        let log = self.base().join(release).join("log/postgres");
        let logs = fs::read_dir(log).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        let text: String = logs.collect();
        let entry = text.lines().find(|line| line.contains("after the upgrade")).unwrap_or_default();
        assert!(entry.contains("AUDIT: SESSION,") && entry.contains(",WRITE,INSERT,"), "{entry:?}\n{text}");
        eprintln!("{entry}");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::env::var_os("KASM_DB_E2E_KEEP").is_some() {
            return;
        }
        let quiet = |arguments: &[&str]| {
            let mut command = Command::new("docker");
            command.args(["--host", engine().unwrap()]).args(arguments);
            let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        };
        for container in ["", "_api", "_backup"] {
            quiet(&["rm", "--force", "--volumes", &format!("{}{container}", self.name)]);
        }
        for release in &self.releases {
            for more in ["", "_pg15"] {
                quiet(&["volume", "rm", "--force", &format!("{}{more}", self.volume(release))]);
            }
        }
    }
}

fn write_script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

fn lossy(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Returns whether there is no engine, and says so; where the long form was asked for, that is a failure.
fn cannot_run(what: &str) -> bool {
    let none = has_no_engine(what);
    assert!(!none || std::env::var_os("KASM_DB_UPGRADE_FROM").is_none(), "{what} needs an engine");
    none
}

/// Returns the major of the old server; makes the images the first time.
fn images() -> u16 {
    static MAJOR: std::sync::OnceLock<u16> = std::sync::OnceLock::new();
    *MAJOR.get_or_init(|| {
        docker(&["tag", WITH, NEW]);
        let Some(folder) = std::env::var_os("KASM_DB_UPGRADE_FROM").map(PathBuf::from) else {
            docker(&["tag", WITH, OLD]);
            return 15;
        };
        let folder = folder.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        assert!(folder.join("bin/postgres").exists(), "{}: no PostgreSQL is there", folder.display());
        let container = format!("kasm_db_pg14_{}", std::process::id());
        // The client of 15 can dump a server of 14.
        let make = "cd /usr/lib/postgresql/14 && cp lib/postgresql/auto_explain.so lib/postgresql/pgaudit.so && \
                    cd share/postgresql/extension && printf \"default_version = '1.6'\\nrelocatable = true\\n\" > pgaudit.control && \
                    : > pgaudit--1.6.sql";
        docker(&["create", "--name", &container, "--network", "none", "--entrypoint", "sh", WITH, "-c", make]);
        docker(&["cp", folder.to_str().unwrap(), &format!("{container}:/usr/lib/postgresql/14")]);
        docker(&["start", "--attach", &container]);
        let path =
            "ENV PATH=/usr/lib/postgresql/14/bin:/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin";
        let change = ["--change", path, "--change", r#"ENTRYPOINT ["docker-entrypoint.sh"]"#];
        docker(&[&["commit"], &change[..], &["--change", r#"CMD ["postgres"]"#, &container, OLD]].concat());
        docker(&["rm", &container]);
        14
    })
}

/// Installs and starts the old release, as the document says. With 14 the document starts to audit with the new release.
fn old_release(name: &str, release: &'static str, image: &str, major: u16) -> (Host, String) {
    let host = Host::with(name, release, image);
    let audit = if major == 14 { "" } else { AUDIT };
    host.document(&format!(
        "schema: kasm-db/v1\nimage: {image}   # ours\npostgres_major: {major}\npreload: {{libraries: [pgaudit]}}\n{audit}\
         targets: [{{name: kasm, deployment: opt/kasm/current}}]\nverify: {{container: NAME}}\n"
    ));
    host.must("kasm-db apply --files-only --yes");
    host.fill(release);
    let data = host.data();
    (host, data)
}

/// Says in the document what an image of another major needs.
fn declare_major(host: &Host, major: u16) {
    if major == 14 {
        host.edit_document("postgres_major: 14\n", "postgres_major: 15\n");
        host.edit_document("targets:", &format!("{AUDIT}targets:"));
    }
}

fn place(steps: &[Step], title: &str) -> usize {
    let titles: Vec<_> = steps.iter().map(|step| &step.title).collect();
    steps
        .iter()
        .position(|step| step.title.starts_with(title))
        .unwrap_or_else(|| panic!("{title}: {titles:?}"))
}

#[test]
fn the_path_to_a_release_leads_there_and_the_way_back_leads_back() {
    if cannot_run("an upgrade of Kasm") {
        return;
    }
    let major = images();
    let (mut host, data) = old_release("release", "1.15.0", OLD, major);
    host.unpack("1.16.0");
    let steps = host.path("--to 1.16.0");
    let (applied, upgrade) = (place(&steps, "Apply the document"), place(&steps, "Upgrade with"));

    if major != 14 {
        return leads_there_and_back(&host, &steps, major, &data);
    }
    // Without the document in the new release, the restore stops in the middle, and the way back is there.
    for step in &steps[..upgrade] {
        if step.title != steps[applied].title {
            host.take(step);
        }
    }
    let (last, before) = steps[upgrade].commands.split_last().unwrap();
    before.iter().for_each(|command| {
        host.must(command);
    });
    let (code, said) = host.line(last);
    assert!(code != Some(0) && said.contains("extension \"pgaudit\" is not available"), "{said}");
    host.go_back(&steps[upgrade]);
    host.wait();
    assert!(host.sql("SHOW server_version").starts_with(&format!("{major}.")));
    assert_eq!((host.data(), host.sql("SELECT name FROM release")), (data.clone(), "1.15.0".into()));
    host.must(&steps[0].commands[1]);

    // With it, everything is as printed.
    fs::remove_dir_all(host.base().join("1.16.0")).unwrap();
    leads_there_and_back(&host, &host.path("--to 1.16.0"), major, &data);
}

/// Takes all steps, and returns from the last one.
fn leads_there_and_back(host: &Host, steps: &[Step], major: u16, data: &str) {
    for (at, step) in steps.iter().enumerate() {
        let said = host.take(step);
        if at == place(steps, "Declare") {
            host.edit_document(OLD, NEW);
            declare_major(host, major);
            host.must("kasm-db validate kasm-db.yaml");
        }
        if at + 1 == steps.len() {
            assert!(said.contains(" 0 FAIL, 0 skipped."), "{said}");
        }
    }
    host.proves("1.16.0", "1.16.0", data);
    host.go_back(steps.last().unwrap());
    host.wait();
    assert!(host.sql("SHOW server_version").starts_with(&format!("{major}.")));
    assert_eq!(host.data(), data);
}

#[test]
fn the_path_into_an_installed_tree_restores_the_roles_too_and_needs_no_installer() {
    if cannot_run("an upgrade of Kasm") {
        return;
    }
    let major = images();
    if major != 14 {
        eprintln!("not run without a PostgreSQL 14: `scripts/long upgrade` runs it");
        return;
    }
    let (old, new) = ("kasmweb/postgres:old", "kasmweb/postgres:1.20.0");
    // Kasm's image in a tag that tells no major, so that the command for the document is run, too.
    docker(&["tag", OLD, old]);
    docker(&["tag", WITH, new]);
    let (mut host, data) = old_release("installed", "1.15.0", old, major);
    host.sql("CREATE ROLE reporting LOGIN PASSWORD 'canary-5f1d'; GRANT SELECT ON users TO reporting");

    // Somebody upgrades without looking: the new image has pgaudit, which is not loaded.
    host.unpack_with("1.20.0", new);
    let by_installer = host.path("--to 1.20.0");
    let upgrade = &by_installer[place(&by_installer, "Upgrade with")];
    let (code, said) = host.line(upgrade.commands.last().unwrap());
    assert!(code != Some(0) && said.contains("pgaudit must be loaded via"), "{said}");
    host.go_back(upgrade);
    host.wait();
    assert_eq!(host.data(), data);

    fs::remove_dir_all(host.root.join("kasm_release")).unwrap();
    let steps = host.path("");
    let declared = place(&steps, "Declare");
    for (at, step) in steps.iter().enumerate() {
        let said = host.take(step);
        assert!(!said.contains("canary-5f1d"), "{said}");
        if at == declared {
            declare_major(&host, major);
            host.must("kasm-db validate kasm-db.yaml && grep -q ' # ours$' kasm-db.yaml");
        }
        if at == place(&steps, "Stop Kasm") {
            dumps_that_are_not_whole_are_seen(&host, step);
        }
        if at + 1 == steps.len() {
            assert!(said.contains(" 0 FAIL, 0 skipped."), "{said}");
        }
    }
    host.proves("1.20.0", "1.20.0", &data);
    assert_eq!(host.sql("SELECT has_table_privilege('reporting', 'users', 'select')"), "t");
    assert_eq!(host.sql("SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'reporting'"), "t");
    assert_eq!(fs::read_link(host.base().join("current")).unwrap(), host.base().join("1.20.0"));
    // Only root can read the hashes of passwords.
    let roles = fs::metadata(host.base().join("backups/kasm-db-roles.sql")).unwrap();
    assert_eq!(roles.permissions().mode() & 0o777, 0o600);
    host.go_back(steps.last().unwrap());
    host.wait();
    assert_eq!((host.data(), host.sql("SELECT name FROM release")), (data, "1.15.0".into()));
}

/// Runs the printed check of the dump on one that is cut off, and on an empty one.
fn dumps_that_are_not_whole_are_seen(host: &Host, step: &Step) {
    let check = step.commands.last().unwrap();
    assert!(check.contains("tar --list"), "{check}");
    let dump = host.base().join("backups/kasm-db-before-upgrade.tar");
    let whole = fs::read(&dump).unwrap();
    for part in [0, 512, whole.len() / 2, whole.len() - 2048] {
        fs::write(&dump, &whole[..part]).unwrap();
        assert_ne!(host.line(check).0, Some(0), "{part} bytes of {}", whole.len());
    }
    fs::write(&dump, whole).unwrap();
    host.must(check);
}

#[test]
fn the_path_to_another_major_of_the_same_release_leads_there_and_back() {
    if cannot_run("an upgrade of PostgreSQL") {
        return;
    }
    if images() != 14 {
        eprintln!("not run without a PostgreSQL 14: `scripts/long upgrade` runs it");
        return;
    }
    let stock = "postgres:14-alpine";
    docker(&["tag", OLD, stock]);
    let host = Host::with("major", "1.15.0", stock);
    let conf = host.base().join("1.15.0/conf/database/postgresql.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit'"))
        .unwrap();
    host.fill("1.15.0");
    let data = host.data();
    host.document(&format!(
        "schema: kasm-db/v1\nimage: {WITH}\npostgres_major: 15\npreload: {{libraries: [pgaudit]}}\n{AUDIT}\
         targets: [{{name: kasm, deployment: opt/kasm/current}}]\nverify: {{container: NAME}}\n"
    ));
    let steps = host.path("");
    for back_from in ["Verify", "Make a new volume", "Apply the document", "Start the new database"] {
        for step in &steps {
            let said = host.take(step);
            if step.title.starts_with("Verify") {
                assert!(said.contains(" 0 FAIL, 0 skipped."), "{said}");
                host.proves("1.15.0", "1.15.0", &data);
            }
            if step.title.starts_with(back_from) {
                break;
            }
        }
        let left = steps.iter().position(|step| step.title.starts_with(back_from)).unwrap();
        host.go_back(&steps[left]);
        // The steps before it have their own way back.
        if !steps[left].back.contains("/bin/start") {
            let stop = place(&steps, "Stop Kasm");
            steps[stop + 1..left].iter().rev().for_each(|step| host.go_back(step));
            host.go_back(&steps[stop]);
        }
        host.wait();
        assert!(host.sql("SHOW server_version").starts_with("14."), "back from {back_from}");
        assert_eq!(host.data(), data, "back from {back_from}");
    }
}
