//! A team's repository made from `examples/gitops`, the host of its two deployments, and the forge that it is on.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use testing::{Run, copy, repository};

use crate::forge::Forge;
use crate::tools::Tools;

/// The values of a compose file that nobody may see.
pub(crate) const PASSWORDS: [&str; 2] = ["dummy-db-password", "dummy-redis-password"];

/// What is below a folder: modes and contents.
pub(crate) type Contents = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// A team with everything that its pipelines need.
pub(crate) struct Team {
    _temp: TempDir,
    root: PathBuf,
    pub(crate) tools: Tools,
    pub(crate) forge: Forge,
}

impl Team {
    /// Commits the example on `main`; none if the tools are missing.
    pub(crate) fn new() -> Option<Self> {
        let tools = Tools::find()?;
        let temp = tempfile::Builder::new().prefix("kasm-db-gitops-").tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        for folder in ["bin", "home/gh", "host/opt", "host/srv"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let team = Self { _temp: temp, forge: Forge::start(&root.join("socket")), root, tools };
        copy(&repository().join("examples/gitops"), &team.repository());
        team.deploy();
        symlink(crate::PROGRAM, team.root.join("bin/kasm-db")).unwrap();
        symlink(repository().join("tests/gitops/conftest"), team.root.join("bin/conftest")).unwrap();
        // The command line of GitHub, which finds its server behind the socket.
        let socket = format!("http_unix_socket: {}\n", team.root.join("socket").display());
        fs::write(team.root.join("home/gh/config.yml"), socket).unwrap();
        team.git("init --quiet --initial-branch main");
        team.git("remote add origin https://gitlab.example.com/team/kasm.git");
        team.commit();
        Some(team)
    }

    /// Creates the trees of both deployments.
    fn deploy(&self) {
        let example = repository().join("examples/existing/opt/kasm");
        copy(&example, &self.host().join("opt/kasm"));
        let staging = self.host().join("srv/kasm-staging");
        copy(&example, &staging);
        let mut folders = vec![staging];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    continue;
                } else if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = fs::read_to_string(&path).unwrap();
                    fs::write(&path, text.replace("/opt/kasm/", "/srv/kasm-staging/")).unwrap();
                }
            }
        }
    }

    /// Returns the folder that holds everything.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the team's repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.root.join("repository")
    }

    /// Returns the folder that has the host's `/opt` and `/srv`.
    pub(crate) fn host(&self) -> PathBuf {
        self.root.join("host")
    }

    /// Returns the `postgresql.conf` of the deployment `production`.
    pub(crate) fn conf(&self) -> PathBuf {
        self.host().join("opt/kasm/1.11.0/conf/database/postgresql.conf")
    }

    /// Prepares a command, with nothing of this process's environment but the path, behind the folder of the stand-ins.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, folder: &Path) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:{path}", self.root.join("bin").display()))
            .env("HOME", self.root.join("home"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("KASM_DB_ROOT", self.host())
            .env("PYTHONPATH", &self.tools.python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self, command: &mut Command) -> Run {
        Run::of(&command.output().unwrap(), &self.root)
    }

    /// Runs `git` in the repository.
    pub(crate) fn git(&self, arguments: &str) -> String {
        let mut command = self.command("git", &self.repository());
        command.args(["-c", "user.name=anna", "-c", "user.email=anna@example.com"]);
        let run = self.finish(command.args(arguments.split(' '))).expect(0);
        run.stdout.trim_end().to_string()
    }

    /// Commits everything.
    pub(crate) fn commit(&self) {
        self.git("add --all");
        self.git("commit --quiet --message change");
    }

    /// Replaces a part of a file of the repository, and commits it.
    pub(crate) fn change(&self, path: &str, from: &str, to: &str) {
        replace(&self.repository().join(path), from, to);
        self.commit();
    }

    /// Returns what is deployed, without what is kept of applies.
    pub(crate) fn contents(&self) -> Contents {
        let mut all = Contents::new();
        let mut folders = vec![self.host()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with(".kasm-db") || path.is_symlink() {
                    continue;
                } else if path.is_dir() {
                    folders.push(path);
                } else {
                    let mode = fs::metadata(&path).unwrap().permissions().mode();
                    all.insert(path.clone(), (mode, fs::read(path).unwrap()));
                }
            }
        }
        all
    }
}

/// Replaces a part of a file that must be there.
pub(crate) fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}
