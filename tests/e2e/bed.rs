//! A deployment in the shape of Kasm's, of our own writing, in a temporary folder: with its database running.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The image with pgaudit, and the one without it.
pub(crate) const WITH: &str = "kasmweb/postgres:develop";
pub(crate) const STOCK: &str = "postgres:15-alpine";
pub(crate) const BARE: &str = "kasmweb/postgres:without-psql";

/// How long a server may take to come up.
const UP: Duration = Duration::from_secs(60);

/// The engine that `scripts/with-engine` gives; `None` where there is none, and PostgreSQL processes stand in.
pub(crate) fn engine() -> Option<&'static str> {
    static ENGINE: OnceLock<Option<String>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let engine = std::env::var("KASM_DB_ENGINE").ok();
        let why = match &engine {
            Some(engine) => format!("on the Docker engine at {engine}"),
            None => format!("without a Docker engine ({}), on PostgreSQL processes", without_engine()),
        };
        // Past what catches the output of a test that passes: whoever reads the results should know.
        let _ = writeln!(std::io::stderr(), "e2e: {why}");
        engine
    });
    engine.as_deref()
}

/// Returns why there is no engine. A run that counts does without one only where none can run, or where that is
/// wanted: `KASM_DB_E2E=processes`.
fn without_engine() -> String {
    if std::env::var("KASM_DB_E2E").is_ok_and(|value| value == "processes") {
        return "as KASM_DB_E2E says".into();
    }
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let missing = ["dockerd", "docker", "mmdebstrap"]
        .into_iter()
        .find(|program| !folders.iter().any(|folder| folder.join(program).exists()));
    if let Some(program) = missing {
        return format!("{program} is not there");
    }
    let counts = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(
        !counts,
        "run this with scripts/with-engine, or set KASM_DB_E2E=processes where no engine can run"
    );
    "see scripts/with-engine".into()
}

/// Tells, and says, that a test is about the engine itself, and there is none.
pub(crate) fn has_no_engine(what: &str) -> bool {
    let none = engine().is_none();
    if none {
        let _ = writeln!(std::io::stderr(), "e2e: without an engine nothing shows {what}");
    }
    none
}

pub(crate) fn compose() -> &'static str {
    static COMPOSE: OnceLock<String> = OnceLock::new();
    COMPOSE.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/get-compose");
        let output = Command::new(script).stderr(Stdio::inherit()).output().expect("get-compose runs");
        let path = String::from_utf8(output.stdout).unwrap().trim().to_string();
        assert!(output.status.success() && !path.is_empty(), "scripts/get-compose gives no binary");
        path
    })
}

/// The user that the server runs as in the image: the files must be its, as Kasm's installer makes them.
pub(crate) fn server_user() -> u32 {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| {
        if engine().is_none() {
            let output = Command::new("id").args(["-u", "postgres"]).output().unwrap();
            return String::from_utf8(output.stdout).unwrap().trim().parse().expect("a user `postgres`");
        }
        let arguments = ["run", "--rm", "--network", "none", "--entrypoint", "id", WITH, "-u", "postgres"];
        docker(&arguments).trim().parse().expect("a number")
    })
}

/// Runs `docker` on the engine; fails the test where it fails.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = try_docker(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "docker {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn try_docker(arguments: &[&str]) -> Output {
    let engine = engine().expect("no Docker engine: run this with scripts/with-engine");
    Command::new("docker").args(["--host", engine]).args(arguments).output().expect("docker runs")
}

/// A deployment; dropping it removes everything of it.
pub(crate) struct Bed {
    _temp: Option<TempDir>,
    pub(crate) root: PathBuf,
    /// The container and the Compose project have this name.
    pub(crate) name: String,
    volume: String,
    /// The deployment's folder, below the root.
    folder: String,
}

/// How `kasm-db` ended, and what it said.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Fails with the whole output if it ended otherwise.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless all of these stand in what it said.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            // Where the stand-in for Docker has the file.
            let part = match engine() {
                Some(_) => part.to_string(),
                None => part
                    .replace("/var/lib/postgresql/conf/postgresql.conf", "/proc/self/fd/9")
                    .replace(" in the container", ""),
            };
            let part = part.as_str();
            let both = format!("--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
            assert!(both.contains(part), "{part:?} is not in\n{both}");
        }
        self
    }
}

impl Bed {
    /// Lays out a deployment whose compose files have this image, and starts nothing.
    pub(crate) fn new(image: &str) -> Self {
        Self::below("kasm", image)
    }

    /// Lays out a deployment in this folder of a new root.
    pub(crate) fn below(folder: &str, image: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let temp = tempfile::Builder::new().prefix("kasm-db-e2e-").tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        // The server's user must get through to the files.
        std::fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("kasm_db_e2e_{}_{number}", std::process::id());
        let bed = Self { _temp: Some(temp), root, volume: name.clone(), name, folder: folder.into() };
        bed.lay_out(image);
        bed
    }

    /// Lays out another deployment of the same container in this folder of the root, with a volume of its own, as an upgrade
    /// of Kasm does.
    pub(crate) fn beside(&self, folder: &str, image: &str) -> Self {
        let volume = format!("{}_{}", self.name, folder.replace('/', "_"));
        let (root, name) = (self.root.clone(), self.name.clone());
        let bed = Self { _temp: None, root, volume, name, folder: folder.into() };
        bed.lay_out(image);
        bed
    }

    fn lay_out(&self, image: &str) {
        let bed = self;
        for folder in ["bin", "docker/.conf", "conf/database", "log/postgres"] {
            std::fs::create_dir_all(bed.tree().join(folder)).unwrap();
        }
        for file in ["docker-compose.yaml", ".conf/docker-compose-all.yaml", ".conf/docker-compose-db.yaml"] {
            bed.write(&format!("docker/{file}"), &bed.compose_file(image));
        }
        bed.write("conf/database/postgresql.conf", include_str!("conf/postgresql.conf"));
        bed.write("conf/database/pg_hba.conf", include_str!("conf/pg_hba.conf"));
        let user = server_user();
        for path in ["conf/database/postgresql.conf", "conf/database/pg_hba.conf", "log/postgres"] {
            chown(bed.tree().join(path), Some(user), Some(user)).unwrap();
        }
        std::fs::set_permissions(bed.tree().join("log/postgres"), PermissionsExt::from_mode(0o700)).unwrap();
        for (command, verb) in [("start", "up -d"), ("stop", "stop")] {
            if engine().is_none() {
                break;
            }
            let text = format!(
                "#!/bin/bash\n# {command}s the deployment that this script stands in.\nset -euo pipefail\n\
                 cd \"$(dirname \"$(readlink -f \"$0\")\")/../docker\"\n\
                 exec {} --project-name {} --progress plain {verb}\n",
                compose(),
                bed.name
            );
            bed.script(&format!("bin/{command}"), &text);
        }
        if engine().is_none() {
            bed.stand_in();
        }
        bed.docker(&["volume", "create", &bed.volume]);
    }

    /// Puts a `docker` of our own in place of the engine's.
    fn stand_in(&self) {
        let shim = self.root.join("shim");
        std::fs::create_dir(&shim).unwrap();
        std::fs::write(shim.join("name"), &self.name).unwrap();
        self.script("../shim/docker", include_str!("direct/docker"));
        for (command, verb) in [("start", "up"), ("stop", "down")] {
            let path = shim.join("docker");
            self.script(&format!("bin/{command}"), &format!("#!/bin/bash\nexec {} {verb}\n", path.display()));
        }
    }

    /// Returns `PATH` with the stand-in in front, where there is one.
    pub(crate) fn path(&self) -> String {
        let path = std::env::var("PATH").unwrap();
        match engine() {
            Some(_) => path,
            None => format!("{}:{path}", self.root.join("shim").display()),
        }
    }

    /// Runs `docker`, or what stands in for it; fails the test where it fails.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = self.try_docker(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "docker {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn try_docker(&self, arguments: &[&str]) -> Output {
        match engine() {
            Some(_) => try_docker(arguments),
            None => Command::new(self.root.join("shim/docker")).args(arguments).output().unwrap(),
        }
    }

    /// Lays out a deployment and starts its database.
    pub(crate) fn running(image: &str) -> Self {
        let bed = Self::new(image);
        bed.start();
        bed
    }

    /// Lays out a deployment that is as [`Bed::document`] says, its database running, the extension made.
    pub(crate) fn in_order() -> Self {
        let bed = Self::new(WITH);
        bed.edit_conf(|conf| {
            conf.replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit'")
                + "pgaudit.log = 'read, write, ddl'\n"
        });
        bed.start();
        bed.sql("CREATE EXTENSION pgaudit");
        bed
    }

    /// The user on the host that the server runs as.
    pub(crate) fn user(&self) -> u32 {
        server_user()
    }

    fn compose_file(&self, image: &str) -> String {
        include_str!("conf/docker-compose.yaml")
            .replace("IMAGE", image)
            .replace("NAME", &self.name)
            .replace("VOLUME", &self.volume)
            .replace("TREE", self.tree().to_str().unwrap())
    }

    /// The deployment's folder.
    pub(crate) fn tree(&self) -> PathBuf {
        self.root.join(&self.folder)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.tree().join(path)).unwrap()
    }

    /// Writes a file below the deployment in place, as an editor that keeps the inode does.
    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.tree().join(path), text).unwrap();
    }

    /// Writes a program below the deployment.
    pub(crate) fn script(&self, path: &str, text: &str) {
        self.write(path, text);
        std::fs::set_permissions(self.tree().join(path), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Changes a file in place.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(String) -> String) {
        let before = self.read(path);
        let after = change(before.clone());
        assert_ne!(before, after, "the edit of {path} changes nothing");
        self.write(path, &after);
    }

    pub(crate) fn edit_conf(&self, change: impl FnOnce(String) -> String) {
        self.edit("conf/database/postgresql.conf", change);
    }

    /// Runs `bin/start`, and waits until the server answers.
    pub(crate) fn start(&self) {
        self.bin("start");
        self.wait();
    }

    /// Runs `bin/start` or `bin/stop`.
    pub(crate) fn bin(&self, name: &str) {
        let mut command = Command::new(self.tree().join("bin").join(name));
        let output = command.env("DOCKER_HOST", engine().unwrap_or_default()).output().unwrap();
        assert!(output.status.success(), "bin/{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits until the server itself, not the one of the first initialisation, answers.
    pub(crate) fn wait(&self) {
        let started = Instant::now();
        loop {
            let script = match engine() {
                Some(_) => "grep -q '^postgres' /proc/1/cmdline && psql -qtAU kasmapp -d kasm -c 'SELECT 1'",
                None => "psql -qtAU kasmapp -d kasm -c 'SELECT 1'",
            };
            let output = self.try_docker(&["exec", &self.name, "sh", "-c", script]);
            if output.status.success() {
                return;
            }
            let log = || String::from_utf8_lossy(&self.try_docker(&["logs", &self.name]).stderr).into_owned();
            assert!(started.elapsed() < UP, "the server does not come up: {}", log());
            sleep(Duration::from_millis(100));
        }
    }

    /// Runs SQL in the database `kasm` as the superuser `kasmapp`; gives the rows.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let arguments =
            ["exec", &self.name, "psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-U", "kasmapp", "-d", "kasm"];
        self.docker(&[&arguments[..], &["-c", sql]].concat()).trim().to_string()
    }

    /// Runs SQL as somebody does who types it into psql: each statement by itself.
    pub(crate) fn psql(&self, sql: &str) {
        let arguments = [
            "exec",
            "-i",
            &self.name,
            "psql",
            "-Xqt",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "kasmapp",
            "-d",
            "kasm",
        ];
        let mut command = Command::new("docker");
        command.args(arguments).env("PATH", self.path()).stdin(Stdio::piped()).stdout(Stdio::null());
        if let Some(engine) = engine() {
            command.env("DOCKER_HOST", engine);
        }
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{sql}");
    }

    /// Returns the container's id and the time of its last start.
    pub(crate) fn identity(&self) -> String {
        self.docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", &self.name])
    }

    /// The document that most scenarios use; `extra` goes behind it.
    pub(crate) fn document(&self, extra: &str) -> PathBuf {
        let text = format!(
            "schema: kasm-db/v1\nimage: {WITH}\npostgres_major: 15\npreload:\n  libraries: [pgaudit]\n\
             audit:\n  classes: [read, write, ddl]\ntargets:\n  - name: current\n    deployment: {}\n\
             verify:\n  container: {}\n{extra}",
            self.tree().display(),
            self.name
        );
        let path = self.root.join("kasm-db.yaml");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Prepares `kasm-db` with nothing of this process's environment but the path and the engine.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kasm-db"));
        command
            .args(arguments.split_whitespace())
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", &self.root)
            .stdin(Stdio::null());
        if let Some(engine) = engine() {
            command.env("DOCKER_HOST", engine);
        }
        command
    }

    /// Runs `kasm-db` in the folder with the document.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        finish(&mut self.command(arguments))
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    if testing::envelope::is_json(command.get_args()) {
        testing::envelope::check(&output.stdout, output.status.code());
    }
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if std::env::var_os("KASM_DB_E2E_KEEP").is_some() {
            return;
        }
        // Not asserted: a test that failed half-way has not made all of it.
        self.try_docker(&["rm", "--force", "--volumes", &self.name]);
        self.try_docker(&["volume", "rm", "--force", &self.volume]);
    }
}

/// Returns the names of the files in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
