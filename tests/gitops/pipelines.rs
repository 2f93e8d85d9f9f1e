//! What a pipeline does, whichever CI system runs it.

use std::collections::BTreeMap;
use std::fs;

use crate::github::GitHub;
use crate::gitlab::GitLab;
use crate::team::{PASSWORDS, Team, replace};

/// How a job ended.
#[derive(Debug)]
pub(crate) struct Job {
    /// 0, or the exit code of the step that failed.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) log: String,
}

/// The jobs that ran, by name.
pub(crate) type Jobs = BTreeMap<String, Job>;

/// The pipelines of a team on a CI system.
pub(crate) trait Pipelines {
    /// Sets the team's repository up.
    fn new(team: Team) -> Self;
    /// Returns the team.
    fn team(&self) -> &Team;
    /// Runs the pipeline of the merge request 7.
    fn merge_request(&mut self) -> Jobs;
    /// Runs the pipeline of a push to `main`, until somebody must approve.
    fn push(&mut self) -> Jobs;
    /// Approves the apply of the last push.
    fn approve(&mut self) -> Jobs;
    /// Returns a file among the artifacts of the last plan.
    fn artifact(&self, name: &str) -> Option<String>;
    /// Runs the scheduled pipeline.
    fn schedule(&mut self) -> Jobs;
}

#[track_caller]
fn expect(jobs: &Jobs, name: &str, code: i32) {
    let job = jobs.get(name).unwrap_or_else(|| panic!("{name} did not run: {jobs:?}"));
    assert_eq!(job.code, code, "{name}: {}", job.log);
}

/// Runs a test on both CI systems.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_github {
            $(#[test] fn $name() { super::$name::<super::GitHub>(); })*
        }
        mod on_gitlab {
            $(#[test] fn $name() { super::$name::<super::GitLab>(); })*
        }
    };
}

on_both! {
    a_merge_request_has_one_comment_which_is_updated
    the_saved_plan_is_applied_after_an_approval_and_a_revert_gives_the_old_bytes
    a_plan_that_is_stale_is_not_applied
    one_issue_is_open_while_something_differs
    what_fails_fails_the_job
}

fn a_merge_request_has_one_comment_which_is_updated<P: Pipelines>() {
    let Some(team) = Team::new() else { return };
    let mut pipelines = P::new(team);
    // Comments of others, also with the mark, and more than a page of them.
    for _ in 0..120 {
        pipelines.team().forge.state().add_foreign("<!-- kasm-db plan -->\nnot ours");
    }
    let before = pipelines.team().contents();
    let jobs = pipelines.merge_request();
    expect(&jobs, "plan", 0);
    assert!(!jobs.contains_key("apply") && !jobs.contains_key("drift"), "{jobs:?}");
    let first = pipelines.team().forge.comments();
    assert_eq!(first.len(), 1);
    let (body, head) = (&first[0].body, pipelines.team().git("rev-parse HEAD"));
    assert!(
        body.starts_with("<!-- kasm-db plan -->\n### kasm-db plan: 2 of 2 targets would change\n"),
        "{body}"
    );
    assert!(body.contains(&format!("\nCommit {}, [", &head[..12])), "{body}");
    // GitLab alone shows counts.
    if let Some(counts) = pipelines.artifact("terraform.json") {
        let counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
        assert_eq!(counts, serde_json::json!({"create": 7, "update": 8, "delete": 0}));
    }
    assert!(pipelines.artifact("plan.json").is_some());
    for password in PASSWORDS {
        assert!(!body.contains(password) && !jobs["plan"].log.contains(password));
    }
    pipelines.team().change("base.kasm-db.yaml", "[read, write, ddl]", "[role, ddl]");
    expect(&pipelines.merge_request(), "plan", 0);
    let second = pipelines.team().forge.comments();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].number, first[0].number);
    assert!(
        second[0].body.contains("role, ddl") && !second[0].body.contains(&head[..12]),
        "{}",
        second[0].body
    );
    let state = pipelines.team().forge.state();
    assert!(state.comments.iter().filter(|one| !one.is_own).all(|one| one.body.ends_with("not ours")));
    drop(state);
    assert_eq!(pipelines.team().contents(), before);
}

fn the_saved_plan_is_applied_after_an_approval_and_a_revert_gives_the_old_bytes<P: Pipelines>() {
    let Some(team) = Team::new() else { return };
    let mut pipelines = P::new(team);
    let before = pipelines.team().contents();
    expect(&pipelines.push(), "plan", 0);
    assert_eq!(pipelines.team().contents(), before, "nobody has approved");
    expect(&pipelines.approve(), "apply", 0);
    let first = pipelines.team().contents();
    assert_ne!(first, before);
    pipelines.team().change("production/kasm-db.yaml", "250ms", "1s\n  work_mem: 8MB");
    expect(&pipelines.push(), "plan", 0);
    expect(&pipelines.approve(), "apply", 0);
    assert_ne!(pipelines.team().contents(), first);
    pipelines.team().git("revert --no-edit HEAD");
    let jobs = pipelines.push();
    expect(&jobs, "plan", 0);
    assert!(jobs["plan"].log.contains("no longer declared, set by generation 2"), "{}", jobs["plan"].log);
    expect(&pipelines.approve(), "apply", 0);
    assert_eq!(pipelines.team().contents(), first);
    // No comment without a merge request.
    assert!(pipelines.team().forge.comments().is_empty());
}

fn a_plan_that_is_stale_is_not_applied<P: Pipelines>() {
    let Some(team) = Team::new() else { return };
    let mut pipelines = P::new(team);
    expect(&pipelines.push(), "plan", 0);
    replace(&pipelines.team().conf(), "log_disconnections = off", "log_disconnections = on");
    let before = pipelines.team().contents();
    let jobs = pipelines.approve();
    expect(&jobs, "apply", 5);
    assert!(jobs["apply"].log.contains("stale"), "{}", jobs["apply"].log);
    assert_eq!(pipelines.team().contents(), before);
}

fn one_issue_is_open_while_something_differs<P: Pipelines>() {
    let Some(team) = Team::new() else { return };
    let mut pipelines = P::new(team);
    pipelines.team().forge.state().add_foreign("<!-- kasm-db drift -->\nnot ours");
    let open = |pipelines: &P| {
        let issues = pipelines.team().forge.issues();
        let bodies = issues.iter().filter(|one| one.is_open).map(|one| one.body.clone());
        (issues.len(), bodies.collect::<Vec<_>>())
    };
    // No server runs here.
    expect(&pipelines.schedule(), "drift", 9);
    let (all, bodies) = open(&pipelines);
    assert_eq!((all, bodies.len()), (1, 1));
    assert!(bodies[0].starts_with("<!-- kasm-db drift -->\n"), "{}", bodies[0]);
    assert!(bodies[0].contains("`kasm-db status` exited with 9") && bodies[0].contains("never applied"));
    assert_eq!(pipelines.team().forge.issues()[0].title, "kasm-db: drift");
    // The files alone.
    pipelines.team().change("base.kasm-db.yaml", "\naudit:", "\nverify: {connect: none}\n\naudit:");
    expect(&pipelines.schedule(), "drift", 2);
    let (all, bodies) = open(&pipelines);
    assert_eq!((all, bodies.len()), (1, 1));
    assert!(bodies[0].contains("`kasm-db status` exited with 2"), "{}", bodies[0]);
    pipelines.push();
    expect(&pipelines.approve(), "apply", 0);
    expect(&pipelines.schedule(), "drift", 0);
    assert_eq!(open(&pipelines), (1, vec![]));
    expect(&pipelines.schedule(), "drift", 0);
    // Somebody edits a file of the host.
    replace(&pipelines.team().conf(), "'read, write, ddl'", "'read'");
    expect(&pipelines.schedule(), "drift", 2);
    expect(&pipelines.schedule(), "drift", 2);
    let (all, bodies) = open(&pipelines);
    assert_eq!((all, bodies.len()), (2, 1));
    assert!(bodies[0].contains("changed outside"), "{}", bodies[0]);
    let state = pipelines.team().forge.state();
    assert!(
        state
            .issues
            .iter()
            .filter(|one| !one.is_own)
            .all(|one| one.is_open && one.body.ends_with("not ours"))
    );
}

fn what_fails_fails_the_job<P: Pipelines>() {
    let Some(team) = Team::new() else { return };
    let mut pipelines = P::new(team);
    let before = pipelines.team().contents();
    // The policy: the plan itself would be fine.
    pipelines.team().change("base.kasm-db.yaml", "[read, write, ddl]", "[read]");
    let jobs = pipelines.merge_request();
    expect(&jobs, "plan", 1);
    assert!(jobs["plan"].log.contains("base.kasm-db.yaml: audit the class ddl"), "{}", jobs["plan"].log);
    let body = &pipelines.team().forge.comments()[0].body;
    assert!(
        body.contains("**The policy is not met:**") && body.contains("production: audit the class ddl"),
        "{body}"
    );
    pipelines.team().git("revert --no-edit HEAD");
    // A blocker.
    pipelines.team().change("base.kasm-db.yaml", "postgres:1.11.0", "postgres:1.16.0");
    expect(&pipelines.merge_request(), "plan", 4);
    let body = &pipelines.team().forge.comments()[0].body;
    assert!(body.contains("2 of 2 targets blocked"), "{body}");
    pipelines.team().git("revert --no-edit HEAD");
    // A document that is not valid.
    pipelines.team().change("staging/kasm-db.yaml", "targets:", "target:");
    let jobs = pipelines.merge_request();
    assert!(jobs.values().any(|job| job.code == 3), "{jobs:?}");
    pipelines.team().git("revert --no-edit HEAD");
    // The forge: a plan whose comment is missing was not seen.
    pipelines.team().forge.state().refuses = true;
    let jobs = pipelines.merge_request();
    expect(&jobs, "plan", 75);
    assert!(jobs["plan"].log.contains("403"), "{jobs:?}");
    let jobs = pipelines.schedule();
    expect(&jobs, "drift", 9);
    assert!(jobs["drift"].log.contains("403"), "{jobs:?}");
    assert_eq!(pipelines.team().contents(), before);
    let kept = fs::read_to_string(pipelines.team().conf()).unwrap();
    assert!(!kept.contains("pgaudit.log ="), "{kept}");
}
