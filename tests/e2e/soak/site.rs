//! The deployment that the events are about.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::truth::{Truth, text};
use crate::bed::{Bed, Run, WITH, docker, engine};

pub(super) const CONF: &str = "conf/database/postgresql.conf";
pub(super) const INSIDE: &str = "/var/lib/postgresql/conf/postgresql.conf";

/// A deployment whose data and log are on small disks of their own.
pub(super) struct Site {
    pub(super) bed: Bed,
    /// A reference that no registry has.
    pub(super) image: String,
    pub(super) max_connections: u64,
    pub(super) work_mem: u64,
    mounts: Vec<PathBuf>,
}

/// What the engine says of the starts of the container.
pub(super) struct Starts {
    pub(super) starts: usize,
    /// The longest time between an end and the next start.
    pub(super) away: Duration,
}

/// Returns whether the engine is this test's own.
pub(super) fn has_own_engine() -> bool {
    std::env::var("KASM_DB_SOAK_ENGINE").is_ok_and(|value| value == "own")
}

impl Site {
    pub(super) fn new() -> Self {
        let image = format!("127.0.0.1:1/kasm/soak:{}", std::process::id());
        docker(&["tag", WITH, &image]);
        let bed = Bed::new(&image);
        let data = bed.root.join("data");
        let log = bed.tree().join("log/postgres");
        std::fs::create_dir(&data).unwrap();
        let mut site = Self { bed, image, max_connections: 30, work_mem: 8, mounts: Vec::new() };
        let user = site.bed.user();
        site.mount(&data, &format!("size=200m,mode=700,uid={user},gid={user}"));
        site.mount(&log, &format!("size=32m,mode=700,uid={user},gid={user}"));
        let volume = format!("- {}:/var", site.bed.name);
        site.bed.edit("docker/docker-compose.yaml", |text| {
            text.replace(&volume, &format!("- {}:/var", data.display()))
        });
        site.bed.edit_conf(|conf| {
            conf.replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit'")
                .replace("max_connections = 20", "max_connections = 30")
                .replace("#work_mem = 4MB", "work_mem = 8MB")
                + "pgaudit.log = 'read, write, ddl'\nmax_wal_size = 64MB\nmin_wal_size = 32MB\n"
        });
        site.bed.start();
        site.bed.sql("CREATE EXTENSION pgaudit");
        site.write_document();
        site.expect_in_order();
        site
    }

    fn mount(&mut self, path: &Path, options: &str) {
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).status().unwrap();
        assert!(status.success());
        self.mounts.push(path.to_path_buf());
    }

    /// Writes the document that declares what is declared now.
    pub(super) fn write_document(&self) {
        let text = format!(
            "schema: kasm-db/v1\nimage: {}\npostgres_major: 15\npreload:\n  libraries: [pgaudit]\naudit:\n  \
             classes: [read, write, ddl]\nsettings:\n  max_connections: {}\n  work_mem: {}MB\ntargets:\n  - name: current\n    \
             deployment: {}\nverify:\n  container: {}\nrestart:\n  policy: if_needed\n  timeout: 60s\n",
            self.image,
            self.max_connections,
            self.work_mem,
            self.bed.tree().display(),
            self.bed.name
        );
        std::fs::write(self.bed.root.join("kasm-db.yaml"), text).unwrap();
    }

    /// Returns what is declared, as the server shows it.
    pub(super) fn declared(&self) -> [(&'static str, String); 4] {
        [
            ("max_connections", self.max_connections.to_string()),
            ("work_mem", format!("{}MB", self.work_mem)),
            ("shared_preload_libraries", "pgaudit".into()),
            ("pgaudit.log", "read, write, ddl".into()),
        ]
    }

    /// Declares another value that needs a restart.
    pub(super) fn declare_restart(&mut self) {
        self.max_connections = if self.max_connections >= 60 { 30 } else { self.max_connections + 1 };
        self.write_document();
    }

    /// Declares another value that needs a reload.
    pub(super) fn declare_reload(&mut self) {
        self.work_mem = if self.work_mem >= 60 { 8 } else { self.work_mem + 1 };
        self.write_document();
    }

    pub(super) fn try_docker(&self, arguments: &[&str]) -> Output {
        let engine = engine().expect("an engine");
        Command::new("docker").args(["--host", engine]).args(arguments).output().unwrap()
    }

    /// Runs `status` and `verify`, and expects that they say what holds.
    #[track_caller]
    pub(super) fn agree(&self, truth: &Truth) -> (Run, Run) {
        let (status, verify) = (self.bed.run("status"), self.bed.run("verify --no-probe"));
        let codes = (status.code.unwrap_or(-1), verify.code.unwrap_or(-1));
        let is_right = match truth {
            Truth::InOrder => codes == (0, 0),
            // What wins over a file blocks its plan if the host can see it.
            Truth::Differs(_) => matches!(codes, (2 | 4 | 9, 9)),
            Truth::Down(_) => codes == (9, 9),
        };
        assert!(
            is_right,
            "{truth:?}, and {codes:?}:\n{}{}\n{}{}",
            status.stdout, status.stderr, verify.stdout, verify.stderr
        );
        (status, verify)
    }

    /// Expects that the server, the engine and `kasm-db` say that everything is as declared.
    #[track_caller]
    pub(super) fn expect_in_order(&self) {
        let truth = self.settled(|truth| *truth == Truth::InOrder);
        assert_eq!(truth, Truth::InOrder);
        self.agree(&truth);
    }

    /// Applies, and expects that it ends well.
    #[track_caller]
    pub(super) fn apply(&self) -> Run {
        self.bed.run("apply --yes").expect(0)
    }

    /// Runs what stands in backquotes in a text and begins with these words, in a shell of this host.
    #[track_caller]
    pub(super) fn fix_on_host(&self, run: &Run, starts: &str) {
        let command = quoted(run, starts);
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(self.bed.tree()).env("PATH", self.bed.path());
        shell.env("DOCKER_HOST", engine().unwrap());
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs the statements that stand in backquotes and begin with these words.
    #[track_caller]
    pub(super) fn fix_in_psql(&self, run: &Run, starts: &str) {
        self.bed.psql(&quoted(run, starts));
        self.bed.psql("SELECT pg_reload_conf();");
    }

    /// Returns a moment, for [`Self::starts_since`].
    pub(super) fn mark(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
    }

    /// Asks the engine how often the container was started since then.
    pub(super) fn starts_since(&self, mark: &str) -> Starts {
        let until = self.mark();
        let format = "{{.TimeNano}} {{.Action}} {{index .Actor.Attributes \"name\"}}";
        let arguments =
            ["events", "--since", mark, "--until", &until, "--filter", "type=container", "--format", format];
        let events = text(&self.try_docker(&arguments));
        let mut seen = Starts { starts: 0, away: Duration::ZERO };
        let mut ended = None;
        for line in events.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let [time, action, name] = words[..] else { continue };
            let time: u64 = time.parse().unwrap();
            match action {
                _ if name != self.bed.name => {}
                "die" => ended = Some(time),
                "start" => {
                    seen.starts += 1;
                    let away = ended.take().map_or(0, |ended| time - ended);
                    seen.away = seen.away.max(Duration::from_nanos(away));
                }
                _ => {}
            }
        }
        seen
    }

    /// Waits until nothing of the deployment's commands runs any more.
    pub(super) fn wait_for_commands(&self) {
        let tree = self.bed.tree().display().to_string();
        let runs = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            processes.into_iter().any(|process| {
                let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains(&tree) && line.contains("/bin/")
                    || line.contains(&self.bed.name) && line.contains("--project-name")
            })
        };
        while runs() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Creates the deployment as declared again, whatever an event has left.
    pub(super) fn reset(&mut self) {
        for name in ["filler", "data/filler"] {
            let _ = std::fs::remove_file(self.bed.tree().join("log/postgres").join(name));
            let _ = std::fs::remove_file(self.bed.root.join(name));
        }
        self.wait_for_commands();
        let other = format!("{}-other", self.bed.name);
        for name in [&self.bed.name, &other] {
            self.try_docker(&["unpause", name]);
            self.try_docker(&["rm", "--force", name]);
        }
        docker(&["tag", WITH, &self.image]);
        let (conf, away) = (self.bed.tree().join(CONF), self.bed.tree().join("conf/database/away"));
        let _ = std::fs::rename(away, &conf);
        chown(&conf, Some(self.bed.user()), Some(self.bed.user())).unwrap();
        let auto = self.bed.root.join("data/postgresql.auto.conf");
        std::fs::write(auto, "").unwrap();
        let _ = std::fs::remove_dir_all(self.bed.tree().join(".kasm-db"));
        self.bed.run("apply --yes --files-only").expect(0);
        self.bed.start();
        for statement in
            ["ALTER ROLE kasmapp RESET ALL", "ALTER DATABASE kasm RESET ALL", "ALTER ROLE ALL RESET ALL"]
        {
            self.bed.sql(statement);
        }
        self.bed.sql("CREATE EXTENSION IF NOT EXISTS pgaudit");
        self.bed.bin("stop");
        self.bed.start();
    }

    /// Leaves several things that an apply can fix, and expects that one apply fixes all.
    pub(super) fn one_apply_ends_it_all(&mut self) {
        self.declare_restart();
        self.declare_reload();
        self.bed.edit_conf(|conf| conf.replace("pgaudit.log = 'read, write, ddl'", "pgaudit.log = 'ddl'"));
        self.bed.edit("docker/docker-compose.yaml", |text| text.replace(&self.image, WITH));
        self.bed.sql("DROP EXTENSION pgaudit");
        docker(&["kill", &self.bed.name]);
        self.apply();
        self.expect_in_order();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Not asserted: a test that failed half-way has not made all of it.
        self.try_docker(&["unpause", &self.bed.name]);
        self.try_docker(&["rm", "--force", "--volumes", &self.bed.name]);
        self.try_docker(&["rm", "--force", &format!("{}-other", self.bed.name)]);
        self.try_docker(&["rmi", "--force", &self.image]);
        for mount in &self.mounts {
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
    }
}

/// Returns what stands in backquotes and begins with these words.
#[track_caller]
fn quoted(run: &Run, starts: &str) -> String {
    let both = format!("{}\n{}", run.stdout, run.stderr);
    let all: Vec<_> = both.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let found = all.iter().find(|text| text.starts_with(starts));
    (*found.unwrap_or_else(|| panic!("{starts:?} is not in {all:?}\n{both}"))).to_string()
}
