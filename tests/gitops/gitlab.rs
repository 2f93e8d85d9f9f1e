//! Runs the team's pipeline with gitlab-ci-local: each job in a copy of the repository, with the artifacts of the jobs before.

use std::fs;
use std::path::Path;

use serde_json::Value;
use testing::{Run, copy};

use crate::forge::TOKEN;
use crate::pipelines::{Job, Jobs, Pipelines};
use crate::team::{Team, replace};

/// The pipelines of a repository on GitLab.
pub(crate) struct GitLab {
    team: Team,
}

impl Pipelines for GitLab {
    fn new(team: Team) -> Self {
        // gitlab-ci-local has components of the repository alone, by the commit.
        let templates = team.repository().join("templates");
        copy(&testing::repository().join("templates"), &templates);
        let component = "$CI_SERVER_FQDN/$CI_PROJECT_PATH/pipeline@$CI_COMMIT_SHA";
        replace(
            &team.repository().join(".gitlab-ci.yml"),
            "$CI_SERVER_FQDN/OWNER/kasm-db/pipeline@0.1.0",
            component,
        );
        fs::write(team.repository().join(".git/info/exclude"), "/.gitlab-ci-local/\n").unwrap();
        team.commit();
        Self { team }
    }

    fn team(&self) -> &Team {
        &self.team
    }

    fn merge_request(&mut self) -> Jobs {
        let source = ["--variable", "CI_PIPELINE_SOURCE=merge_request_event"];
        self.run(&[&source[..], &["--variable", "CI_MERGE_REQUEST_IID=7"]].concat())
    }

    fn push(&mut self) -> Jobs {
        self.run(&[])
    }

    fn approve(&mut self) -> Jobs {
        self.run(&["kasm-db:apply"])
    }

    fn artifact(&self, name: &str) -> Option<String> {
        // The colon is written in a way of its own.
        let kept = self.team.repository().join(".gitlab-ci-local/artifacts/kasm-dbOgplan/kasm-db-ci");
        assert!(kept.join("terraform.json").exists());
        fs::read_to_string(kept.join(name)).ok()
    }

    fn schedule(&mut self) -> Jobs {
        self.run(&["--variable", "CI_PIPELINE_SOURCE=schedule"])
    }
}

impl GitLab {
    /// Runs jobs with these arguments of gitlab-ci-local, on a host of this root.
    fn local(&self, arguments: &[&str], root: &Path) -> Run {
        let (team, tools) = (&self.team, &self.team.tools);
        let mut command = team.command(tools.node(), &team.repository());
        command
            .arg(tools.node_modules.join("gitlab-ci-local/dist/index.js"))
            .args(["--force-shell-executor", "--shell-isolation"])
            .args([
                "--ignore-predefined-vars",
                "CI_PIPELINE_SOURCE,CI_API_V4_URL,CI_PROJECT_ID,CI_MERGE_REQUEST_IID",
            ])
            .args(arguments);
        let variables = [
            format!("CI_API_V4_URL=http://127.0.0.1:{}/api/v4", team.forge.port),
            "CI_PROJECT_ID=3".into(),
            format!("KASM_DB_TOKEN={TOKEN}"),
            format!("KASM_DB_ROOT={}", root.display()),
            format!("PYTHONPATH={}", tools.python.display()),
        ];
        for variable in &variables {
            command.args(["--variable", variable]);
        }
        team.finish(&mut command)
    }

    fn run(&self, arguments: &[&str]) -> Jobs {
        let _ = fs::remove_dir_all(self.team.repository().join(".gitlab-ci-local/output"));
        let run = self.local(arguments, &self.team.host());
        let mut jobs = Jobs::new();
        for name in ["validate", "plan", "apply", "drift"] {
            let job = format!("kasm-db:{name}");
            let log: String = [&run.stdout, &run.stderr]
                .into_iter()
                .flat_map(|text| text.lines())
                .filter(|line| line.starts_with(&job))
                .map(|line| format!("{line}\n"))
                .collect();
            // `JOB finished in 83 ms  FAIL 3`, or without a code.
            let finished =
                log.lines().find_map(|line| line.split_once(" finished in ").map(|(_, end)| end.to_string()));
            if let Some(finished) = finished {
                let code = finished.split_once("FAIL ").map_or("0", |(_, code)| code.trim());
                let code = code.parse().unwrap_or_else(|_| panic!("{run}"));
                jobs.insert(name.to_string(), Job { code, log });
            }
        }
        let fails = jobs.values().any(|job| job.code != 0);
        assert_eq!(run.code, Some(i32::from(fails)), "{run}");
        assert!(!jobs.is_empty(), "{run}");
        jobs
    }
}

#[test]
fn a_plan_of_another_machine_is_applied_on_the_host() {
    let Some(team) = Team::new() else { return };
    let mut pipelines = GitLab::new(team);
    let team = &pipelines.team;
    let copied = team.root().join("copied");
    copy(&team.host(), &copied);
    let config = team.repository().join(".gitlab-ci.yml");
    let inputs = format!("policy: policy\n      plan-args: |-\n        --root\n        {}", copied.display());
    replace(&config, "policy: policy", &inputs);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\"kasm-db:plan\":\n  tags: [planner]\n")).unwrap();
    team.commit();
    // The runner of the plan is another one.
    let jobs = pipelines.local(&["--preview"], Path::new("/")).expect(0).stdout;
    let jobs: Value = serde_yaml::from_str(&jobs).unwrap();
    assert_eq!(jobs["kasm-db:plan"]["tags"], serde_json::json!(["planner"]));
    assert_eq!(jobs["kasm-db:apply"]["tags"], serde_json::json!(["kasm"]));
    let before = team.contents();
    let planned = pipelines.local(&["kasm-db:plan"], Path::new("/nowhere")).expect(0);
    assert!(planned.stdout.contains("2 targets"), "{planned}");
    let jobs = pipelines.approve();
    assert_eq!(jobs["apply"].code, 0, "{jobs:?}");
    assert_ne!(pipelines.team.contents(), before);
    let kept = copied.join("opt/kasm/1.11.0/conf/database/postgresql.conf");
    assert!(!fs::read_to_string(kept).unwrap().contains("pgaudit.log ="), "the copy is as it was");
}
