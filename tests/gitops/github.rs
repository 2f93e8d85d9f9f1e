//! Runs the team's workflow as GitHub's runner would: jobs by their conditions, each in a checkout of its own, and the steps of
//! the action under bash with the variables that GitHub sets. Artifacts are folders here.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testing::{copy, repository};

use crate::expressions::{filled, holds};
use crate::forge::TOKEN;
use crate::pipelines::{Job, Jobs, Pipelines};
use crate::team::Team;

/// The workflow of the team.
const WORKFLOW: &str = ".github/workflows/kasm-db.yml";

/// The runs of a repository on GitHub.
pub(crate) struct GitHub {
    team: Team,
    /// The number of the run.
    run: u32,
    /// What the jobs of the run gave to those that need them.
    needs: Value,
}

impl Pipelines for GitHub {
    fn new(team: Team) -> Self {
        Self { team, run: 0, needs: json!({}) }
    }

    fn team(&self) -> &Team {
        &self.team
    }

    fn merge_request(&mut self) -> Jobs {
        self.start("pull_request", "refs/pull/7/merge")
    }

    fn push(&mut self) -> Jobs {
        self.start("push", "refs/heads/main")
    }

    fn approve(&mut self) -> Jobs {
        let jobs = self.jobs("push", "refs/heads/main", true);
        // Everybody could write to the checkout; `apply` runs no command of such a document.
        let document = self.team.root().join("workspace/production/kasm-db.yaml");
        let mode = fs::metadata(document).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, if jobs.is_empty() { 0o666 } else { 0o644 });
        jobs
    }

    fn artifact(&self, name: &str) -> Option<String> {
        let kept = self.team.root().join(format!("artifacts/{}/kasm-db-plan", self.run));
        assert!(!kept.join("terraform.json").exists());
        fs::read_to_string(kept.join(name)).ok()
    }

    fn schedule(&mut self) -> Jobs {
        self.start("schedule", "refs/heads/main")
    }
}

impl GitHub {
    /// Starts a run, which stops before what needs an approval.
    fn start(&mut self, event: &str, reference: &str) -> Jobs {
        self.run += 1;
        self.needs = json!({});
        self.jobs(event, reference, false)
    }

    /// Runs the jobs with an environment, or those without.
    fn jobs(&mut self, event: &str, reference: &str, approved: bool) -> Jobs {
        let workflow = yaml(&self.team.repository().join(WORKFLOW));
        assert!(!workflow["on"][event].is_null() || workflow["on"].as_object().unwrap().contains_key(event));
        let mut ended = Jobs::new();
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            if job["environment"].is_string() != approved {
                continue;
            }
            let fork = json!({"pull_request": {"head": {"repo": {"fork": false}}}});
            let github = json!({"event_name": event, "event": fork, "token": TOKEN});
            let contexts = json!({"github": github, "needs": self.needs});
            let needed = job["needs"].as_str().is_none_or(|needed| self.needs[needed]["result"] == "success");
            if !needed || !holds(job["if"].as_str().unwrap(), &contexts) {
                continue;
            }
            let run = JobRun::new(self, event, reference, contexts);
            let (job_ended, outputs) = run.steps(job);
            let result = if job_ended.code == 0 { "success" } else { "failure" };
            self.needs[name] = json!({"result": result, "outputs": outputs});
            ended.insert(name.clone(), job_ended);
        }
        ended
    }
}

/// A job that runs.
struct JobRun<'a> {
    team: &'a Team,
    artifacts: PathBuf,
    workspace: PathBuf,
    contexts: Value,
    environment: BTreeMap<&'static str, String>,
    log: String,
}

impl<'a> JobRun<'a> {
    fn new(runner: &'a GitHub, event: &str, reference: &str, contexts: Value) -> Self {
        let (team, root) = (&runner.team, runner.team.root());
        let workspace = root.join("workspace");
        let _ = fs::remove_dir_all(&workspace);
        fs::create_dir(&workspace).unwrap();
        let path = |name: &str| root.join(name).display().to_string();
        let environment = BTreeMap::from([
            ("CI", "true".into()),
            ("GITHUB_ACTIONS", "true".into()),
            ("GITHUB_EVENT_NAME", event.into()),
            ("GITHUB_OUTPUT", path("output")),
            ("GITHUB_REF", reference.into()),
            ("GITHUB_REPOSITORY", "team/kasm".into()),
            ("GITHUB_RUN_ID", runner.run.to_string()),
            ("GITHUB_SERVER_URL", "https://github.example.com".into()),
            ("GITHUB_SHA", team.git("rev-parse HEAD")),
            ("GITHUB_STEP_SUMMARY", path("summary.md")),
            ("GITHUB_WORKSPACE", path("workspace")),
            // Where the real `gh` finds what stands for GitHub.
            ("GH_HOST", "github.localhost".into()),
            ("GH_CONFIG_DIR", path("home/gh")),
        ]);
        let artifacts = root.join(format!("artifacts/{}", runner.run));
        Self { team, artifacts, workspace, contexts, environment, log: String::new() }
    }

    /// Runs the steps of a job until one fails, and those after it that ask for it.
    fn steps(mut self, job: &Value) -> (Job, Value) {
        let mut code = 0;
        for step in job["steps"].as_array().unwrap() {
            if code == 0 {
                code = self.step(step);
            }
        }
        let outputs = job["outputs"].as_object().into_iter().flatten();
        let filled = outputs.map(|(name, value)| {
            (name.clone(), Value::String(filled(value.as_str().unwrap(), &self.contexts)))
        });
        let outputs = Value::Object(filled.collect());
        (Job { code, log: self.log }, outputs)
    }

    fn step(&mut self, step: &Value) -> i32 {
        let uses = step["uses"].as_str().unwrap();
        let action = uses.split('@').next().unwrap();
        match action {
            "actions/checkout" => {
                assert_eq!(step["with"]["persist-credentials"], false);
                let (from, to) = (self.team.repository(), self.workspace.display().to_string());
                let mut command = self.team.command("sh", self.team.root());
                // As some runners do.
                let script = "umask 0; git clone --quiet \"$1\" \"$2\"";
                command.args(["-c", script, "sh", &from.display().to_string(), &to]);
                self.team.finish(&mut command).expect(0);
                0
            }
            "OWNER/kasm-db" => self.action(step),
            other => panic!("the team uses {other}"),
        }
    }

    /// Runs the project's action.
    fn action(&mut self, step: &Value) -> i32 {
        let action = yaml(&repository().join("action.yml"));
        let mut contexts = json!({"inputs": {}, "steps": {}, "github": self.contexts["github"]});
        let with = step["with"].as_object().unwrap();
        for name in with.keys() {
            assert!(!action["inputs"][name].is_null(), "the action has no input {name}");
        }
        for (name, input) in action["inputs"].as_object().unwrap() {
            let given =
                with.get(name).or(input.get("default")).unwrap_or_else(|| panic!("{name} is required"));
            contexts["inputs"][name] = Value::String(filled(given.as_str().unwrap(), &self.contexts));
        }
        let mut code = 0;
        for inner in action["runs"]["steps"].as_array().unwrap() {
            let condition = inner["if"].as_str().unwrap_or("");
            let always = condition.contains("cancelled()");
            if (code != 0 && !always) || (!condition.is_empty() && !holds(condition, &contexts)) {
                continue;
            }
            let ended = match inner["uses"].as_str().map(|uses| uses.split('@').next().unwrap()) {
                Some("actions/upload-artifact") => self.artifact(inner, &contexts, true),
                Some("actions/download-artifact") => self.artifact(inner, &contexts, false),
                Some(other) => panic!("the action uses {other}"),
                None => self.bash(inner, &mut contexts),
            };
            code = if code == 0 { ended } else { code };
        }
        if let Some(id) = step["id"].as_str() {
            let outputs = action["outputs"].as_object().unwrap().iter();
            for (name, output) in outputs {
                let value = filled(output["value"].as_str().unwrap(), &contexts);
                self.contexts["steps"][id]["outputs"][name] = Value::String(value);
            }
        }
        code
    }

    fn artifact(&self, step: &Value, contexts: &Value, is_upload: bool) -> i32 {
        let with = |name: &str| filled(step["with"][name].as_str().unwrap(), contexts);
        let (kept, path) = (self.artifacts.join(with("name")), self.workspace.join(with("path")));
        let (from, to) = if is_upload { (path, kept) } else { (kept, path) };
        let _ = fs::remove_dir_all(&to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        copy(&from, &to);
        // An artifact has no modes.
        for entry in fs::read_dir(&to).unwrap() {
            fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o666)).unwrap();
        }
        0
    }

    /// Runs the lines of a step as GitHub does for `shell: bash`.
    fn bash(&mut self, step: &Value, contexts: &mut Value) -> i32 {
        assert_eq!(step["shell"], "bash");
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "an expression in a script can inject commands: {script}");
        let path = self.team.root().join("step.sh");
        fs::write(&path, script).unwrap();
        fs::write(&self.environment["GITHUB_OUTPUT"], "").unwrap();
        let mut command = self.team.command("bash", &self.workspace);
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(&path);
        command.envs(&self.environment).env("GITHUB_ACTION_PATH", repository());
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            command.env(name, filled(value.as_str().unwrap(), contexts));
        }
        let run = self.team.finish(&mut command);
        let mut end = None;
        for line in run.stdout.lines().map(str::trim_start).filter(|line| line.starts_with("::")) {
            let annotates = ["::error ", "::warning "].iter().any(|command| line.starts_with(command));
            match (&end, line.strip_prefix("::stop-commands::")) {
                (None, Some(token)) => end = Some(format!("::{token}::")),
                (None, None) => assert!(annotates, "the runner takes this for a command: {line}"),
                (Some(token), _) if line == token => end = None,
                (Some(_), _) => {}
            }
        }
        assert!(end.is_none(), "commands stay off: {run}");
        self.log.push_str(&run.to_string());
        let output = fs::read_to_string(&self.environment["GITHUB_OUTPUT"]).unwrap();
        for (name, value) in output.lines().filter_map(|line| line.split_once('=')) {
            let id = step["id"].as_str().unwrap();
            contexts["steps"][id]["outputs"][name] = Value::String(value.into());
        }
        run.code.unwrap()
    }
}

/// Reads a file of YAML.
pub(crate) fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}
