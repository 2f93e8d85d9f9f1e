//! The tools that `scripts/get-pipelines` installs.

use std::path::PathBuf;
use std::process::Command;

use testing::repository;

/// Where the tools are.
pub(crate) struct Tools {
    /// The packages of npm.
    pub(crate) node_modules: PathBuf,
    /// The packages of Python; their programs are in `bin`.
    pub(crate) python: PathBuf,
}

impl Tools {
    /// Finds the tools. If they are missing, says so, and fails in CI.
    pub(crate) fn find() -> Option<Self> {
        for program in ["bash", "curl", "gh", "git", "jq", "python3", "rsync", "shellcheck"] {
            let found = Command::new(program).arg("--version").output();
            if found.is_err() {
                return missing(&format!("{program} is missing"));
            }
        }
        let run = Command::new(repository().join("scripts/get-pipelines")).output().unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        let mut lines = text.lines().map(PathBuf::from);
        match (run.status.success(), lines.next(), lines.next()) {
            (true, Some(node), Some(python)) => {
                Some(Self { node_modules: node.join("node_modules"), python })
            }
            _ => missing("scripts/get-pipelines installs nothing"),
        }
    }

    /// Returns the node that the packages need.
    pub(crate) fn node(&self) -> PathBuf {
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        self.node_modules.join(format!("node-linux-{machine}/bin/node"))
    }
}

fn missing(what: &str) -> Option<Tools> {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{what}");
    println!("left out: {what}");
    None
}
