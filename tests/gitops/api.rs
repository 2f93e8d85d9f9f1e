//! What the script does if two pipelines wrote at once, and if the API of the forge fails.

use testing::Run;

use crate::forge::TOKEN;
use crate::script::{script, wrap};
use crate::team::Team;

/// Makes the program end with this status.
fn end_with(team: &Team, code: i32) {
    wrap(team, "kasm-db", &format!("#!/bin/sh\nexit {code}\n"));
}

/// Runs the script on one of the CI systems.
fn run(team: &Team, is_github: bool, command: &str) -> Run {
    let mut script = script(team, command);
    if is_github {
        let path = |name: &str| team.root().join(name);
        script
            .env_remove("CI_API_V4_URL")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_REF", "refs/pull/7/merge")
            .env("GITHUB_REPOSITORY", "team/kasm")
            .env("GITHUB_OUTPUT", path("output"))
            .env("GITHUB_STEP_SUMMARY", path("summary.md"))
            .env("GH_HOST", "github.localhost")
            .env("GH_CONFIG_DIR", path("home/gh"))
            .env("GH_TOKEN", TOKEN);
    }
    team.finish(&mut script)
}

#[test]
fn of_what_two_pipelines_wrote_at_once_the_first_stays() {
    for is_github in [true, false] {
        let Some(team) = Team::new() else { return };
        team.forge.state().add_own();
        team.forge.state().add_foreign("<!-- kasm-db plan -->\nnot ours");
        team.forge.state().add_own();
        team.forge.state().add_own();
        end_with(&team, 2);
        run(&team, is_github, "plan").expect(0);
        let comments = team.forge.comments();
        assert_eq!(comments.len(), 1);
        assert_eq!(team.forge.state().comments.len(), 2);
        assert!(comments[0].number == 1 && !comments[0].body.contains("stale"), "{comments:?}");
        let drift = run(&team, is_github, "drift").expect(2);
        assert!(drift.stderr.is_empty(), "{drift}");
        let open = |team: &Team| {
            let open = team.forge.issues().into_iter().filter(|issue| issue.is_open);
            open.collect::<Vec<_>>()
        };
        let issues = open(&team);
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert!(issues[0].number == 1 && !issues[0].body.contains("stale"), "{issues:?}");
        team.forge.state().add_own();
        end_with(&team, 0);
        run(&team, is_github, "drift").expect(0);
        assert_eq!(open(&team).len(), 0);
        let state = team.forge.state();
        let mut foreign = state.comments.iter().chain(&state.issues).filter(|entry| !entry.is_own);
        assert!(foreign.all(|entry| entry.is_open && entry.body.ends_with("not ours")));
    }
}

#[test]
fn a_failing_api_has_an_exit_code_of_its_own_and_hides_none_of_the_program() {
    let Some(team) = Team::new() else { return };
    let answers = [
        ("", 200, ""),
        ("", 200, "{}"),
        ("", 200, "<html>Sign in</html>"),
        ("", 302, ""),
        ("", 404, "{}"),
        ("", 500, "oops"),
        ("GET", 200, r#"["x"]"#),
        // Comments and issues are found, and not written.
        ("P", 200, ""),
        ("P", 200, "{}"),
        ("P", 302, ""),
        ("P", 500, "oops"),
    ];
    for is_github in [true, false] {
        for answer in answers {
            team.forge.state().broken = Some(answer);
            let check = |code: i32, command: &str, expected: i32| {
                end_with(&team, code);
                let run = run(&team, is_github, command);
                assert_eq!(run.code, Some(expected), "{answer:?}, {code}, {command}: {run}");
                let what = if command == "plan" { "comment" } else { "issue" };
                assert!(run.stderr.contains(&format!("kasm-db-ci: the {what} was not written: ")), "{run}");
            };
            check(0, "plan", 75);
            check(4, "plan", 4);
            check(9, "drift", 9);
            if answer.0.is_empty() {
                check(0, "drift", 75);
            }
        }
    }
    assert!(team.forge.comments().is_empty() && team.forge.issues().is_empty());
}
