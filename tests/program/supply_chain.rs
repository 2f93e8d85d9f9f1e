//! Where what is built and tested with comes from: by commits and hashes, and nothing that can be another tomorrow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use serde_json::Value;
use testing::repository;

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn text(path: impl AsRef<Path>) -> String {
    read_to_string(repository().join(path)).unwrap()
}

fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn every_action_is_pinned_to_a_commit() {
    let mut count = 0;
    for path in files(".github/workflows") {
        let text = text(&path);
        assert!(text.contains("permissions:\n  contents: read\n"), "{}", path.display());
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let (_, action) = line.split_once("uses: ").unwrap();
            let (name, version) = action.split_once(" # v").unwrap_or_else(|| panic!("no version: {line}"));
            let (_, commit) = name.split_once('@').unwrap();
            assert!(is_hexadecimal(commit, 40), "{}: {line}", path.display());
            assert!(version.split('.').count() == 3, "{line}");
            count += 1;
        }
    }
    assert!(count >= 4);
}

#[test]
fn every_tool_of_the_tests_comes_by_its_hash() {
    let tools = files("scripts/tools");
    let install = text("scripts/tools/install.sh");
    assert!(install.contains("--require-hashes") && install.contains("--only-binary :all:"));
    assert!(install.contains("npm ci ") && install.contains("--ignore-scripts"));
    let requirements =
        tools.iter().filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    for path in requirements {
        let text = text(path).replace(" \\\n", " ");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!lines.is_empty());
        for line in lines {
            let mut words = line.split_whitespace();
            assert!(words.next().unwrap().contains("=="), "{line}");
            let hashes: Vec<_> = words.map(|word| word.strip_prefix("--hash=sha256:").unwrap()).collect();
            assert!(!hashes.is_empty() && hashes.iter().all(|hash| is_hexadecimal(hash, 64)), "{line}");
        }
    }
    let locks = tools.iter().map(|path| path.join("package-lock.json")).filter(|path| path.exists());
    let mut packages = 0;
    for path in locks {
        let lock: Value = serde_json::from_str(&text(&path)).unwrap();
        for (name, package) in
            lock["packages"].as_object().unwrap().iter().filter(|(name, _)| !name.is_empty())
        {
            let hash = package["integrity"].as_str().unwrap_or_default();
            assert!(
                hash.starts_with("sha512-") && package["resolved"].is_null(),
                "{}: {name}",
                path.display()
            );
            packages += 1;
        }
    }
    assert!(packages > 10);
    // No script fetches anything else, but for the packages of the distribution, which are signed.
    for path in files("scripts").into_iter().filter(|path| path.is_file()) {
        // The row of a package of the distribution names a command and runs none.
        let is_row = |line: &&str| line.split_whitespace().collect::<Vec<_>>() == ["curl"; 3];
        let script: String =
            text(&path).lines().filter(|line| !is_row(line)).map(|line| format!("{line}\n")).collect();
        for fetches in ["pip install", "npm install", "npm pack", "curl ", "wget ", "cargo install"] {
            assert!(!script.contains(fetches), "{}: {fetches}", path.display());
        }
    }
}

#[test]
fn dependencies_are_checked_and_advisories_in_a_workflow() {
    let test = text("scripts/test");
    assert!(test.contains(" check --hide-inclusion-graph bans licenses sources\n"));
    assert!(test.contains("\nstep \"supply chain\" supply_chain\n"));
    assert!(test.contains("advisories were not looked at: .github/workflows/advisories.yml does that"));
    assert!(text(".github/workflows/advisories.yml").contains(" check advisories"));
    let deny = text("deny.toml");
    assert!(deny.contains("unknown-registry = \"deny\"\nunknown-git = \"deny\"\n"));
    assert!(!deny.contains("allow-registry =") && !deny.contains("crates.io") && !deny.contains("://"));
    // What was resolved is from the default registry, or ours.
    let lock = text("Cargo.lock");
    let sources: std::collections::BTreeSet<_> =
        lock.lines().filter(|line| line.starts_with("source = ")).collect();
    assert_eq!(sources.len(), 1, "{sources:#?}");
}

#[test]
fn a_release_is_built_from_the_lock_file_and_signed() {
    let release = text(".github/workflows/release.yml");
    let (before, after) = release.split_once("uses: actions/attest-build-provenance@").unwrap();
    assert!(
        before.contains("run: scripts/release --out release\n") && before.contains("attestations: write")
    );
    assert!(after.contains("subject-path: release/*") && after.contains("gh release create"));
    // Nothing but the script builds, and whatever it asks cargo for is from the lock file.
    assert!(!release.contains("cargo "));
    assert!(text("scripts/package/build.py").contains("options = [\"--locked\", \"--release\", "));
    assert!(text("scripts/package/linked.py").contains("run = [\"cargo\", *arguments, \"--locked\"]"));
}
