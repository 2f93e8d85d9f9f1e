//! What the script of both CI systems does with names, arguments and tokens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testing::{Run, repository};

use crate::forge::TOKEN;
use crate::team::Team;

/// Prepares the script as a job of GitLab runs it.
pub(crate) fn script(team: &Team, command: &str) -> Command {
    let path = repository().join("integrations/ci/kasm-db-ci");
    let mut script = team.command(path, &team.repository());
    script
        .arg(command)
        .env("GITLAB_CI", "true")
        .env("CI_API_V4_URL", format!("http://127.0.0.1:{}/api/v4", team.forge.port))
        .env("CI_PROJECT_ID", "3")
        .env("CI_MERGE_REQUEST_IID", "7")
        .env("KASM_DB_TOKEN", TOKEN);
    script
}

fn run(team: &Team, command: &str, variables: &[(&str, &str)]) -> Run {
    team.finish(script(team, command).envs(variables.iter().copied()))
}

/// Puts a program in front of the real one of this name.
pub(crate) fn wrap(team: &Team, name: &str, text: &str) {
    let path = team.root().join("bin").join(name);
    let _ = fs::remove_file(&path);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn each_name_has_a_comment_and_an_issue_of_its_own() {
    let Some(team) = Team::new() else { return };
    for _ in 0..2 {
        for (name, document) in [("kasm-db", "."), ("eu-1", "production"), ("us.1", "staging/kasm-db.yaml")] {
            let variables = [("KASM_DB_CI_NAME", name), ("KASM_DB_CI_DOCUMENTS", document)];
            run(&team, "plan", &variables).expect(0);
            run(&team, "drift", &variables).expect(9);
        }
    }
    let (comments, issues) = (team.forge.comments(), team.forge.issues());
    let marks = |entries: &[crate::forge::Entry]| -> Vec<String> {
        entries.iter().map(|entry| entry.body.lines().next().unwrap().to_string()).collect()
    };
    let of = |what: &str| ["", ": eu-1", ": us.1"].map(|name| format!("<!-- kasm-db {what}{name} -->"));
    assert_eq!(marks(&comments), of("plan"));
    assert_eq!(marks(&issues), of("drift"));
    assert_eq!(issues[1].title, "kasm-db: drift of eu-1");
    assert!(comments[1].body.contains("production") && !comments[1].body.contains("staging"));
    assert!(comments[2].body.contains("staging") && !comments[2].body.contains("production"));
    let bad = run(&team, "plan", &[("KASM_DB_CI_NAME", "eu-1 -->")]).expect(64);
    assert!(bad.stderr.contains("the name may have letters, digits and . _ - only"), "{bad}");
    let bad = run(&team, "destroy", &[]).expect(64);
    assert!(bad.stderr.contains("no command `destroy`"), "{bad}");
}

#[test]
fn arguments_are_taken_as_they_are_and_the_token_is_for_the_forge_alone() {
    let Some(team) = Team::new() else { return };
    let seen = team.root().join("seen");
    let log = format!("printf '<%s>' \"$@\" >> {0}; env >> {0}", seen.display());
    wrap(&team, "kasm-db", &format!("#!/bin/sh\n{log}\nexec {} \"$@\"\n", crate::PROGRAM));
    let arguments = "--ignore\nno-digest\n--top\n$(touch injected) `touch injected` ; touch injected";
    run(&team, "validate", &[("KASM_DB_CI_ARGS", arguments)]).expect(1);
    let text = fs::read_to_string(&seen).unwrap();
    let wanted = "<validate><--format><gitlab><-f><.><--ignore><no-digest><--top><$(touch injected) `touch injected` ; touch injected><-R>";
    assert!(text.starts_with(wanted), "{text}");
    assert!(!team.repository().join("injected").exists() && !text.contains(TOKEN), "{text}");
    // Others can see the arguments of a command.
    fs::remove_file(&seen).unwrap();
    let curl = format!("#!/bin/sh\nprintf '<%s>' \"$@\" >> {}\nexec /usr/bin/curl \"$@\"\n", seen.display());
    wrap(&team, "curl", &curl);
    run(&team, "plan", &[]).expect(0);
    let text = fs::read_to_string(&seen).unwrap();
    assert!(text.contains("/merge_requests/7/notes>") && !text.contains(TOKEN), "{text}");
}

#[test]
fn without_a_token_gitlab_has_the_plan_and_no_comment() {
    let Some(team) = Team::new() else { return };
    let run = team.finish(script(&team, "plan").env_remove("KASM_DB_TOKEN")).expect(0);
    assert!(run.stdout.contains("KASM_DB_TOKEN is not set: no comment is written"), "{run}");
    assert!(team.repository().join("kasm-db-ci/plan.json").exists());
    let run = team.finish(script(&team, "drift").env_remove("KASM_DB_TOKEN")).expect(9);
    assert!(run.stdout.contains("KASM_DB_TOKEN is not set: no issue is written"), "{run}");
    assert!(team.forge.state().calls.is_empty());
}

#[test]
fn what_an_earlier_step_left_is_not_taken_for_the_plan() {
    let Some(team) = Team::new() else { return };
    run(&team, "plan", &[]).expect(0);
    // The arguments are wrong: there is no plan, and the comment says so.
    let failed = run(&team, "plan", &[("KASM_DB_CI_ARGS", "--no-such-option")]).expect(64);
    assert!(failed.stderr.contains("--no-such-option"), "{failed}");
    assert!(!team.repository().join("kasm-db-ci/plan.json").exists());
    assert!(team.forge.comments()[0].body.contains("### kasm-db plan: failed"));
    run(&team, "apply", &[]).expect(1);
    // There is no report.
    let report = team.repository().join("gl-code-quality-report.json");
    run(&team, "validate", &[]).expect(0);
    assert!(fs::read_to_string(&report).unwrap().starts_with('['));
    run(&team, "validate", &[("KASM_DB_CI_ARGS", "--no-such-option")]).expect(64);
    assert!(!report.exists());
    fs::write(team.repository().join("wrong.kasm-db.yaml"), "schema: kasm-db/v1\nimag: x\n").unwrap();
    run(&team, "validate", &[]).expect(3);
    assert!(fs::read_to_string(&report).unwrap().contains("imag"));
}

#[test]
fn a_long_answer_of_a_policy_is_cut_and_ends_no_fence() {
    let Some(team) = Team::new() else { return };
    let line = "ä````````````````````";
    let conftest = format!("#!/bin/sh\nfor i in $(seq 2000); do echo '{line}'; done\nexit 1\n");
    wrap(&team, "conftest", &conftest);
    run(&team, "plan", &[("KASM_DB_CI_POLICY", "policy")]).expect(1);
    let body = team.forge.comments()[0].body.clone();
    let (plan, rest) = body.split_once("**The policy is not met:**\n\n").unwrap();
    assert!(plan.contains("2 of 2 targets would change"), "{body}");
    let fence = "`".repeat(16);
    let inner = rest.strip_prefix(&format!("{fence}\n")).unwrap().split(&fence).next().unwrap();
    assert!(inner.starts_with("ä```\nä```\n") && inner.ends_with("\n…\n") && inner.len() < 4000, "{inner}");
    assert!(rest.contains(&format!("{fence}\n\nCommit ")), "{rest}");
    // One line of 9,001 bytes: the limit is within a character, and not.
    for (first, kept) in [("", 1333), ("x", 1332), ("xx", 1332)] {
        let long = "€".repeat(3000);
        wrap(&team, "conftest", &format!("#!/bin/sh\necho '{first}{long}'\nexit 1\n"));
        run(&team, "plan", &[("KASM_DB_CI_POLICY", "policy")]).expect(1);
        let body = team.forge.comments()[0].body.clone();
        let wanted = format!("{fence}\n{first}{}\n…\n{fence}\n", "€".repeat(kept));
        assert!(body.contains(&wanted), "{body}");
    }
}

#[test]
fn nothing_that_the_program_prints_is_a_command_for_the_runner_of_github() {
    let Some(team) = Team::new() else { return };
    wrap(&team, "kasm-db", "#!/bin/sh\necho '  ::error::of the host'\nexit 1\n");
    for command in ["plan", "apply", "drift"] {
        let mut script = script(&team, command);
        script.env("GITHUB_ACTIONS", "true");
        for name in ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"] {
            script.env(name, team.root().join(name));
        }
        let run = team.finish(&mut script).expect(1);
        let (first, rest) = run.stdout.split_once('\n').unwrap();
        let end = first.strip_prefix("::stop-commands::").unwrap();
        assert_eq!(end.len(), 32, "{run}");
        assert_eq!(rest, format!("  ::error::of the host\n::{end}::\n"), "{command}");
    }
}
