//! The real program, without this process's environment, on a copy of the examples.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::{envelope, repository};

/// Copies a tree: links stay links, and modes stay, but that nobody else can write to the copy.
pub fn copy(from: &Path, to: &Path) {
    let kind = std::fs::symlink_metadata(from).unwrap().file_type();
    if kind.is_symlink() {
        symlink(std::fs::read_link(from).unwrap(), to).unwrap();
    } else if kind.is_dir() {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
    if !kind.is_symlink() {
        // A checkout may be writable for all, and `apply` does not like that.
        let mode = std::fs::metadata(to).unwrap().permissions().mode() & 0o7755;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Lets everybody read what is below a folder, and the folder too.
pub fn open_to_all(folder: &Path) {
    let metadata = std::fs::symlink_metadata(folder).unwrap();
    if metadata.is_symlink() {
        return;
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let more = if metadata.is_dir() { 0o555 } else { 0o444 };
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode | more)).unwrap();
    if metadata.is_dir() {
        for entry in std::fs::read_dir(folder).unwrap() {
            open_to_all(&entry.unwrap().path());
        }
    }
}

/// A folder that holds a copy of `examples/` and goes when it is dropped.
pub struct Sandbox {
    _temp: TempDir,
    root: PathBuf,
    program: &'static str,
}

/// What is on disk at one path: enough to see any write, also one of the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The mode, with the kind of the file.
    pub mode: u32,
    /// Its number in the file system: another one shows that the file was replaced.
    pub inode: u64,
    /// When its content changed last, in seconds and nanoseconds.
    pub modified: (i64, i64),
    /// The bytes of a file or the target of a link.
    pub content: Vec<u8>,
}

impl Sandbox {
    /// Creates a sandbox for the program at this path, which the test gets from `env!("CARGO_BIN_EXE_kasm-db")`.
    pub fn new(program: &'static str) -> Self {
        let temp = tempfile::Builder::new().prefix("kasm-db-examples-").tempdir().unwrap();
        // The program prints the path that the links lead to.
        let root = temp.path().canonicalize().unwrap();
        copy(&repository().join("examples"), &root.join("examples"));
        // A repository of its own, for a host that has its deployments elsewhere.
        std::fs::remove_dir_all(root.join("examples/gitops")).unwrap();
        Self { _temp: temp, root, program }
    }

    /// Returns the sandbox's folder, by the path that all links lead to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of an example's document.
    pub fn document(&self, example: &str) -> PathBuf {
        self.root.join("examples").join(example).join("kasm-db.yaml")
    }

    /// Returns the folder of an example's only target.
    pub fn target(&self, example: &str) -> PathBuf {
        let folder = match example {
            "existing" => "examples/existing/opt/kasm/1.11.0",
            "new" => "examples/new/kasm_release",
            other => panic!("there is no example {other}"),
        };
        self.root.join(folder)
    }

    /// Replaces a part of an example's document that must be there.
    pub fn edit(&self, path: &Path, from: &str, to: &str) {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {}", path.display());
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Prepares a command in the sandbox, with nothing of this process's environment but the path.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    /// Runs `kasm-db` with arguments that are split at blanks.
    #[track_caller]
    pub fn run(&self, arguments: &str) -> Run {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.finish(self.command(self.program).args(arguments))
    }

    /// Runs a command that was prepared with [`Sandbox::command`]. What it writes for programs must be as its schema says.
    #[track_caller]
    pub fn finish(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let is_program = |name: &OsStr| Path::new(name).file_name() == Some(OsStr::new("kasm-db"));
        // Other programs may run it: as another user, or with faults.
        let runs_it = std::iter::once(command.get_program()).chain(command.get_args()).any(is_program);
        if runs_it && envelope::is_json(command.get_args()) {
            envelope::check(&output.stdout, output.status.code());
        }
        Run::of(&output, &self.root)
    }

    /// Copies the program into the sandbox, for a user who cannot look into the folder that it was built in.
    pub fn copied_program(&self) -> PathBuf {
        let copy = self.root.join("kasm-db");
        // Not by this process: a child that another test starts meanwhile would have the copy open, too, and a file
        // that somebody can write to is not run.
        let status = Command::new("cp").arg(self.program).arg(&copy).status();
        assert!(status.unwrap().success());
        copy
    }

    /// Returns everything below a folder of the sandbox.
    pub fn seen(&self, folder: &Path) -> BTreeMap<PathBuf, Seen> {
        let mut all = BTreeMap::new();
        see(folder, folder, &mut all);
        all
    }

    /// Returns modes and contents below a folder: what two copies can have in common. What is kept of applies is
    /// left out: it tells when they were.
    pub fn contents(&self, folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let kept = |path: &Path| path.components().any(|part| part.as_os_str() == ".kasm-db");
        self.seen(folder)
            .into_iter()
            .filter(|(path, _)| !kept(path))
            .map(|(path, seen)| (path, (seen.mode, seen.content)))
            .collect()
    }
}

fn see(root: &Path, path: &Path, all: &mut BTreeMap<PathBuf, Seen>) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mut content = Vec::new();
    if metadata.is_symlink() {
        content = std::fs::read_link(path).unwrap().into_os_string().into_encoded_bytes();
    } else if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            see(root, &entry.unwrap().path(), all);
        }
    } else if metadata.is_file() {
        content = std::fs::read(path).unwrap();
    }
    let seen = Seen {
        mode: metadata.permissions().mode(),
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        content,
    };
    all.insert(path.strip_prefix(root).unwrap().to_path_buf(), seen);
}

/// How a command ended and what it said; paths of the sandbox are `[ROOT]`.
pub struct Run {
    /// The exit code, if no signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Standard output as it came.
    pub bytes: Vec<u8>,
}

impl Run {
    /// Reads what a command left.
    pub fn of(output: &Output, root: &Path) -> Self {
        let root = root.to_str().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(root, "[ROOT]");
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            bytes: output.stdout.clone(),
        }
    }

    /// Fails with the whole output if the command ended otherwise.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = match self.code {
            Some(code) => format!("exit: {code}\n"),
            None => "exit: by a signal\n".to_string(),
        };
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                let end = if text.ends_with('\n') { "" } else { "\n(no line feed)\n" };
                write!(out, "----- {name} -----\n{text}{end}")?;
            }
        }
        f.write_str(&out)
    }
}
