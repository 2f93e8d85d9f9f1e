//! The other parts of the team's repository: hooks, the policy, Renovate's configuration, and units for systemd.

use std::fs;

use serde_json::Value;
use testing::{Run, repository};

use crate::team::{Team, replace};

/// Creates a repository with the project's hooks, and names it in the team's configuration.
fn install_hooks(team: &Team) {
    let hooks = team.root().join("hooks");
    fs::create_dir(&hooks).unwrap();
    fs::copy(repository().join(".pre-commit-hooks.yaml"), hooks.join(".pre-commit-hooks.yaml")).unwrap();
    let git = |arguments: &str| {
        let mut command = team.command("git", &hooks);
        command.args(["-c", "user.name=anna", "-c", "user.email=anna@example.com"]);
        team.finish(command.args(arguments.split(' '))).expect(0).stdout.trim_end().to_string()
    };
    git("init --quiet");
    git("add .");
    git("commit --quiet --message hooks");
    let configuration = team.repository().join(".pre-commit-config.yaml");
    replace(&configuration, "https://example.com/OWNER/kasm-db", hooks.to_str().unwrap());
    replace(&configuration, "v0.1.0", &git("rev-parse HEAD"));
    team.commit();
}

fn pre_commit(team: &Team, arguments: &[&str]) -> Run {
    let mut command = team.command("python3", &team.repository());
    team.finish(command.args(["-m", "pre_commit"]).args(arguments))
}

#[test]
fn hooks_refuse_a_bad_document_and_rendered_files_that_are_out_of_date() {
    let Some(team) = Team::new() else { return };
    pre_commit(&team, &["validate-manifest", repository().join(".pre-commit-hooks.yaml").to_str().unwrap()])
        .expect(0);
    install_hooks(&team);
    pre_commit(&team, &["validate-config"]).expect(0);
    let run = pre_commit(&team, &["run", "--all-files"]).expect(0);
    assert_eq!(run.stdout.matches("Passed").count(), 2, "{run}");
    // Of the parent alone: what extends it is checked, too.
    let base = team.repository().join("base.kasm-db.yaml");
    replace(&base, "libraries: [pgaudit]", "libraries: [pgaudit]\n  mode: ensured");
    team.git("add --all");
    let run = pre_commit(&team, &["run"]).expect(1);
    assert!(run.stdout.contains("did you mean `ensure`?\n --> base.kasm-db.yaml:8:9"), "{run}");
    replace(&base, "libraries: [pgaudit]\n  mode: ensured", "libraries: [pgaudit, pg_stat_statements]");
    team.git("add --all");
    let run = pre_commit(&team, &["run"]).expect(1);
    assert_eq!(run.stdout.matches("Passed").count(), 1, "{run}");
    assert!(run.stdout.contains("plan.txt"), "{run}");
    // Other files are none of their business.
    team.git("reset --quiet --hard");
    fs::write(team.repository().join("README.md"), "# Kasm\n").unwrap();
    team.git("add --all");
    let run = pre_commit(&team, &["run"]).expect(0);
    assert_eq!(run.stdout.matches("Skipped").count(), 2, "{run}");
}

/// Building takes minutes: `scripts/long gitops`.
#[test]
fn hooks_that_build_the_program_run_it() {
    let hooks = fs::read_to_string(repository().join(".pre-commit-hooks.yaml")).unwrap();
    let hooks: Value = serde_yaml::from_str(&hooks).unwrap();
    let of = |language: &str| {
        let chosen = hooks.as_array().unwrap().iter().filter(|hook| hook["language"] == language);
        let seen = chosen.map(|hook| {
            let entry = hook["entry"].as_str().unwrap().replacen("kasm-db-hook ", "kasm-db ", 1);
            let id = hook["id"].as_str().unwrap().trim_end_matches("-system").to_string();
            (id, entry, hook["files"].clone(), hook["name"].clone())
        });
        seen.collect::<Vec<_>>()
    };
    assert_eq!(of("rust"), of("system"));
    if std::env::var_os("KASM_DB_BUILD_HOOKS").is_none() {
        return;
    }
    let Some(team) = Team::new() else { return };
    let head = team.finish(team.command("git", &repository()).args(["rev-parse", "HEAD"])).expect(0).stdout;
    let repository = repository().canonicalize().unwrap();
    let configuration = team.repository().join(".pre-commit-config.yaml");
    replace(&configuration, "https://example.com/OWNER/kasm-db", repository.to_str().unwrap());
    replace(&configuration, "v0.1.0", head.trim_end());
    replace(&configuration, "-system", "");
    team.commit();
    fs::remove_file(team.root().join("bin/kasm-db")).unwrap();
    let run = || {
        let mut command = team.command("python3", &team.repository());
        command.args(["-m", "pre_commit", "run", "--all-files"]);
        // Cargo and its toolchain are there.
        command.env("HOME", std::env::var_os("HOME").unwrap());
        command.env("PRE_COMMIT_HOME", team.root().join("home/pre-commit"));
        // Quick to build; what it does is the same.
        command.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")]);
        team.finish(&mut command)
    };
    let passed = run().expect(0);
    assert_eq!(passed.stdout.matches("Passed").count(), 2, "{passed}");
    replace(&team.repository().join("base.kasm-db.yaml"), "audit:", "audits:");
    let failed = run().expect(1);
    assert!(failed.stdout.contains("did you mean `audit`?"), "{failed}");
}

#[test]
fn the_rendered_files_of_the_example_are_those_of_its_documents() {
    let Some(team) = Team::new() else { return };
    let render = |check: &[&str]| {
        let mut command = team.command("kasm-db", &team.repository());
        team.finish(command.args(["render", "-q", "-R", "-f", "."]).args(check))
    };
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        render(&[]).expect(0);
        for folder in ["production/rendered", "staging/rendered"] {
            let to = repository().join("examples/gitops").join(folder);
            fs::remove_dir_all(&to).unwrap();
            testing::copy(&team.repository().join(folder), &to);
        }
    }
    render(&["--check"]).expect(0);
}

#[test]
fn the_policy_holds_for_documents_also_if_nothing_changes() {
    let Some(team) = Team::new() else { return };
    let kasm_db = |arguments: &str, to: &str| {
        let mut command = team.command("kasm-db", &team.repository());
        let run = team.finish(command.args(arguments.split(' '))).expect(0);
        fs::write(team.repository().join(to), run.stdout).unwrap();
    };
    let tested = || {
        kasm_db("resolve --format json production/kasm-db.yaml", "document.json");
        kasm_db("plan -q --format json production/kasm-db.yaml", "plan.json");
        let mut command = team.command("conftest", &team.repository());
        let arguments = ["test", "--no-color", "--policy", "policy", "document.json", "plan.json"];
        team.finish(command.args(arguments))
    };
    let run = tested().expect(0);
    assert_eq!(run.stdout, "WARN - plan.json - main - production: announce a downtime: recreate\n");
    let production = team.repository().join("production/kasm-db.yaml");
    let without = "\naudit:\n  classes: [read, all, -ddl]\n\ntargets:";
    replace(&production, "\ntargets:", without);
    kasm_db("apply --yes -q -f production/kasm-db.yaml", "apply.txt");
    let run = tested().expect(1);
    let plan: Value =
        serde_json::from_str(&fs::read_to_string(team.repository().join("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["totals"]["changed"], 0);
    assert!(
        run.stdout.contains("FAIL - document.json - main - production/kasm-db.yaml: audit the class ddl"),
        "{run}"
    );
    assert!(run.stdout.contains("FAIL - plan.json - main - production: audit the class ddl"), "{run}");
    replace(&production, "audit:", "image: kasmweb/postgres:1.11.0\naudit:");
    let run = tested().expect(1);
    assert!(
        run.stdout.contains("use an image of kasmweb/postgres with a digest, not `kasmweb/postgres:1.11.0`"),
        "{run}"
    );
}

/// Renovate takes 560 MB: `scripts/long gitops`. This is what its configuration says.
#[test]
fn renovate_looks_at_the_documents_and_not_at_rendered_files() {
    let Some(team) = Team::new() else { return };
    let text = fs::read_to_string(team.repository().join("renovate.json")).unwrap();
    let configuration: Value = serde_json::from_str(&text).unwrap();
    let pattern = configuration["helm-values"]["managerFilePatterns"][0].as_str().unwrap();
    let pattern = regex::Regex::new(pattern.trim_matches('/')).unwrap();
    let files = team.git("ls-files");
    let found: Vec<&str> = files.lines().filter(|file| pattern.is_match(file)).collect();
    assert_eq!(found, ["base.kasm-db.yaml", "production/kasm-db.yaml", "staging/kasm-db.yaml"]);
    assert_eq!(configuration["ignorePaths"], serde_json::json!(["**/rendered/**"]));
    let Some(renovate) = std::env::var_os("KASM_DB_RENOVATE") else { return };
    let package = std::path::PathBuf::from(renovate).join("node_modules/renovate");
    let mut command = team.command(team.tools.node(), &team.repository());
    command
        .arg(package.join("dist/renovate.js"))
        .args(["--platform=local", "--dry-run=extract"])
        .env("RENOVATE_REPORT_TYPE", "file")
        .env("RENOVATE_REPORT_PATH", team.root().join("report.json"));
    let run = team.finish(&mut command).expect(0);
    let report: Value = serde_json::from_str(
        &fs::read_to_string(team.root().join("report.json")).unwrap_or_else(|_| panic!("{run}")),
    )
    .unwrap();
    let managers = &report["repositories"]["local"]["packageFiles"];
    // The images, of which the rendered files hold many more.
    let mut images = Vec::new();
    for (manager, files) in managers.as_object().unwrap() {
        for file in files.as_array().unwrap() {
            for dependency in file["deps"].as_array().unwrap() {
                if dependency["datasource"] == "docker" {
                    images.push(serde_json::json!([
                        manager,
                        file["packageFile"],
                        dependency["depName"],
                        dependency["currentValue"],
                        dependency["currentDigest"]
                    ]));
                }
            }
        }
    }
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let wanted =
        serde_json::json!(["helm-values", "base.kasm-db.yaml", "kasmweb/postgres", "1.11.0", digest]);
    assert_eq!(images, [wanted], "{managers:#}");
}

#[test]
fn the_units_of_systemd_compare_with_the_document() {
    let Some(team) = Team::new() else { return };
    let unit = |name: &str| fs::read_to_string(team.repository().join("systemd").join(name)).unwrap();
    let service = unit("kasm-db-drift.service");
    let command = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let command = command
        .replace("/usr/local/bin/", "")
        .replace("/etc/kasm-db/", &format!("{}/", team.repository().display()));
    let words: Vec<&str> = command.split(' ').collect();
    let run = team.finish(team.command(words[0], team.root()).args(&words[1..])).expect(9);
    assert!(run.stdout.contains("production  files differ"), "{run}");
    assert!(unit("kasm-db-drift.timer").contains("\nOnCalendar=hourly\n"));
}
