//! Servers of this test's own: made in a temporary folder, reached over a socket there, and stopped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::client::{Client, lossy};
use crate::Memory;

/// Sockets are told apart by their folder, so every server has the same port.
const PORT: u16 = 5432;

/// The programs of one major, and whom to run them as: PostgreSQL refuses to run as root.
#[derive(Clone)]
pub struct Installation {
    /// The major.
    pub major: u16,
    bin: PathBuf,
    user: Option<(u32, u32)>,
}

impl Installation {
    /// Finds a major below the folder that `KASM_DB_POSTGRES` names, as `<major>/bin`, or where Debian has it.
    pub fn find(major: u16) -> Option<Self> {
        let named = std::env::var_os("KASM_DB_POSTGRES").map(PathBuf::from);
        let mut folders = named.into_iter().chain([PathBuf::from("/usr/lib/postgresql")]);
        let bin = folders.find_map(|folder| {
            let bin = folder.join(major.to_string()).join("bin");
            bin.join("postgres").is_file().then_some(bin)
        })?;
        let user = geteuid().is_root().then(|| (id("-u"), id("-g")));
        Some(Self { major, bin, user })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // No `PG…` of the environment counts, and messages come in English.
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).current_dir("/");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

fn id(what: &str) -> u32 {
    let output = Command::new("id").args([what, "postgres"]).output().expect("`id` runs");
    let text = lossy(&output.stdout);
    text.trim().parse().expect("as root this test runs the servers as the user `postgres`, who is missing")
}

/// A data directory, a folder for the conf, and one for the socket.
pub struct Cluster {
    installation: Installation,
    folder: PathBuf,
    /// Whether `log_line_prefix` is the test's to change.
    has_own_prefix: bool,
}

impl Cluster {
    /// Creates a cluster in a new folder.
    pub fn create(installation: &Installation, folder: &Path) -> Self {
        let cluster = Self::empty(installation, folder);
        let output = installation
            .command(&installation.bin.join("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(cluster.data())
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", lossy(&output.stderr));
        cluster
    }

    /// Creates another cluster with a copy of the data.
    pub fn copy(&self, folder: &Path) -> Self {
        let copy = Self::empty(&self.installation, folder);
        let mut command = self.installation.command(Path::new("cp"));
        let status = command.arg("-a").arg(self.data()).arg(copy.data()).status().expect("cp runs");
        assert!(status.success(), "the data directory cannot be copied");
        copy
    }

    fn empty(installation: &Installation, folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        let (user, group) = installation.user.unzip();
        chown(folder, user, group).unwrap();
        Self { installation: installation.clone(), folder: folder.to_path_buf(), has_own_prefix: false }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Leaves `log_line_prefix` to the files, where a running server can be told another one.
    #[must_use]
    pub fn with_own_prefix(self) -> Self {
        Self { has_own_prefix: true, ..self }
    }

    /// Returns the folder with the conf.
    pub fn conf(&self) -> PathBuf {
        self.folder.join("conf")
    }

    /// Puts a conf and its files in place; `postgresql.auto.conf` goes where the server looks for it.
    pub fn stage(&self, files: &Memory) {
        let conf = self.conf();
        if conf.exists() {
            fs::remove_dir_all(&conf).unwrap();
        }
        for (name, bytes) in &files.0 {
            let path = conf.join(name);
            for folder in path.parent().unwrap().ancestors().take_while(|folder| folder.starts_with(&conf)) {
                fs::create_dir_all(folder).unwrap();
                fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
            }
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        }
        let auto = files.0.get("postgresql.auto.conf").map_or(&[][..], Vec::as_slice);
        fs::write(self.data().join("postgresql.auto.conf"), auto).unwrap();
    }

    /// The command of a server that reads the staged conf, without what would collide on this host.
    fn postgres(&self, arguments: &[String]) -> Command {
        let mut command = self.installation.command(&self.installation.bin.join("postgres"));
        let (data, folder) = (self.data(), self.folder.display());
        let data = data.display();
        for option in [
            format!("config_file={folder}/conf/postgresql.conf"),
            format!("data_directory={data}"),
            format!("hba_file={data}/pg_hba.conf"),
            format!("ident_file={data}/pg_ident.conf"),
            format!("unix_socket_directories={folder}"),
            format!("port={PORT}"),
            "listen_addresses=".into(),
            "external_pid_file=".into(),
            "logging_collector=off".into(),
            "log_destination=stderr".into(),
            "log_min_messages=notice".into(),
            "fsync=off".into(),
        ] {
            command.args(["-c", &option]);
        }
        if !self.has_own_prefix {
            command.args(["-c", "log_line_prefix="]);
        }
        command.args(arguments);
        command
    }

    /// Asks the program, without a server, what value the staged conf gives a setting; else what it objects to.
    pub fn setting(&self, name: &str, arguments: &[String]) -> Result<Vec<u8>, Vec<String>> {
        let output = self.postgres(arguments).args(["-C", name]).output().expect("postgres runs");
        let mut value = output.stdout;
        if output.status.success() && value.pop() == Some(b'\n') {
            return Ok(value);
        }
        Err(self.complaints(&output.stderr))
    }

    /// Returns the lines that say why a server does not start, without the paths of this run.
    fn complaints(&self, log: &[u8]) -> Vec<String> {
        let log = [self.conf(), self.data()]
            .iter()
            .fold(lossy(log), |log, folder| log.replace(&format!("{}/", folder.display()), ""));
        let lines = log.lines().filter(|line| ["LOG:", "FATAL:"].iter().any(|word| line.starts_with(word)));
        lines.filter(|line| !line.contains("database system is")).map(String::from).collect()
    }

    /// Starts a server on the staged conf, or gives what it says where it does not come up.
    pub fn start(&self, arguments: &[String]) -> Result<Server<'_>, Vec<String>> {
        let log = fs::File::create(self.log()).unwrap();
        let child = self.postgres(arguments).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let mut server = Server { cluster: self, child: child.expect("postgres runs"), client: None };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if server.child.try_wait().unwrap().is_some() {
                break;
            }
            if let Ok(client) = Client::connect(&self.folder, PORT) {
                server.client = Some(client);
                return Ok(server);
            }
            sleep(Duration::from_millis(5));
        }
        drop(server);
        Err(self.complaints(&fs::read(self.log()).unwrap()))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// A running server, stopped when it goes out of scope.
///
/// Where this process is killed, a server stops by itself once the temporary folder is gone.
pub struct Server<'a> {
    cluster: &'a Cluster,
    child: Child,
    client: Option<Client>,
}

impl Server<'_> {
    /// Returns the connection.
    pub fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("a server that came up has one")
    }

    /// Connects as a user, which calls itself an application.
    pub fn connect_as(&self, user: &str, database: &str, application: &str) -> std::io::Result<Client> {
        Client::connect_as(&self.cluster.folder, PORT, user, database, application)
    }

    /// Returns the cluster that it runs on.
    pub fn cluster(&self) -> &Cluster {
        self.cluster
    }

    /// Returns what the server has logged up to now.
    pub fn logged(&self) -> String {
        lossy(&fs::read(self.cluster.log()).unwrap())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        drop(self.client.take());
        let id = Pid::from_child(&self.child);
        // A fast shutdown, and an immediate one where that hangs. SIGKILL would leave shared memory behind.
        for signal in [Signal::INT, Signal::QUIT] {
            let start = Instant::now();
            if matches!(self.child.try_wait(), Ok(None)) {
                let _ = kill_process(id, signal);
            }
            while start.elapsed() < Duration::from_secs(20) {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                sleep(Duration::from_millis(5));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
