//! Lets programs and servers take up the edited confs.

use std::collections::BTreeSet;

use model::audit::ClassSet;
use model::{Code, Compare};
use pgconf::value::Type;
use testing::Memory;
use testing::postgres::{Cluster, Server, literal, lossy};

use crate::judge::{Judged, places};

/// Returns what a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The program takes the edited file, with our values.
    Taken,
    /// It takes neither the file as it was nor the edited one, for the same reasons.
    RefusedBefore,
    /// The plan is blocked, and the program refuses the file.
    Blocked,
    /// The plan is blocked for what the program does not mind: an invalid list of libraries.
    BlockedByList,
    /// The plan is blocked because nothing would be audited.
    BlockedByAudit,
}

/// Asks `postgres -C`, which reads the files as a start does.
pub(crate) fn program(cluster: &Cluster, judged: &Judged<'_>) -> Result<(Outcome, Vec<String>), String> {
    let conf = judged.conf;
    let ask = |files: &Memory, name: &str| {
        cluster.stage(files);
        cluster.setting(name, &conf.arguments)
    };
    let before = ask(&conf.files, "shared_preload_libraries");
    let Some(reading) = &judged.reading else {
        let has = |code| judged.plan.blockers().any(|finding| finding.code == code);
        return match before {
            Err(complaints) => {
                named(judged, &complaints)?;
                Ok((Outcome::Blocked, Vec::new()))
            }
            Ok(_) if has(Code::ConfList) => Ok((Outcome::BlockedByList, Vec::new())),
            Ok(_) if has(Code::PreloadMissing) => Ok((Outcome::BlockedByAudit, Vec::new())),
            Ok(_) => {
                let why: Vec<_> = judged.plan.blockers().map(|finding| &finding.message).collect();
                Err(format!("{}: blocked by {why:?}, but the program takes the file", judged.label))
            }
        };
    };
    let last = reading.last();
    for name in ["shared_preload_libraries", "pgaudit.log"] {
        if overridden(judged, name) {
            continue;
        }
        let expected = last.get(name).map(|line| line.setting.clone());
        // Without the library, no program knows a setting of it that nothing sets.
        if expected.is_none() && name.contains('.') {
            continue;
        }
        match (ask(&judged.after, name), &before) {
            (Ok(value), _) if value == expected.unwrap_or_default() => {}
            (Ok(value), _) => return Err(format!("{}: `-C {name}` says {:?}", judged.label, lossy(&value))),
            (Err(now), Err(then)) if now.iter().all(|line| then.contains(line)) => {
                return Ok((Outcome::RefusedBefore, now));
            }
            (Err(now), _) => return Err(format!("{}: `-C {name}`: {now:#?}", judged.label)),
        }
    }
    Ok((Outcome::Taken, Vec::new()))
}

/// Compares the lines that the program names with those that the plan is blocked for.
fn named(judged: &Judged<'_>, complaints: &[String]) -> Result<(), String> {
    let theirs: BTreeSet<_> = complaints
        .iter()
        .filter_map(|line| {
            let (file, rest) = line.split_once("in file \"")?.1.split_once("\" line ")?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let unset = judged.desired.unset().iter().any(|name| line.contains(&format!("\"{name}\"")));
            (!unset).then_some((file.to_string(), digits.parse().ok()?))
        })
        .collect();
    let files = &judged.conf.files;
    let unseen = places(&judged.plan, files, &[Code::ConfUnseen]);
    // Where a file is missing, it looks at no name.
    let unknown = if unseen.is_empty() { &[Code::ConfUnknown][..] } else { &[] };
    let ours = places(&judged.plan, files, &[&[Code::ConfSyntax], unknown].concat());
    // Of a folder, the program reads no file behind the first one with an error.
    let folders = files.0["postgresql.conf"].windows(11).any(|word| word == b"include_dir");
    let is_behind = |(file, _): &(String, usize)| {
        folders && file.contains('/') && theirs.iter().all(|(other, _)| other != file)
    };
    match theirs.is_subset(&ours) && ours.difference(&theirs).all(is_behind) {
        true => Ok(()),
        false => Err(format!("{}: the program names {theirs:?}, the plan {ours:?}", judged.label)),
    }
}

fn overridden(judged: &Judged<'_>, name: &str) -> bool {
    let dashed = name.replace('_', "-");
    judged.conf.arguments.iter().any(|argument| argument.contains(name) || argument.contains(&dashed))
}

/// Starts a server on an edited conf and looks at what it took up; gives how many log lines the audit wrote.
pub(crate) fn start(cluster: &Cluster, judged: &Judged<'_>) -> Result<usize, String> {
    cluster.stage(&judged.after);
    let mut server = cluster
        .start(&judged.conf.arguments)
        .map_err(|why| format!("{} does not start: {why:#?}", judged.label))?;
    took_up(&mut server, judged).map_err(|why| format!("{}: {why}", judged.label))
}

fn took_up(server: &mut Server<'_>, judged: &Judged<'_>) -> Result<usize, String> {
    let last = judged.reading.as_ref().map(|reading| reading.last()).unwrap_or_default();
    for name in ["shared_preload_libraries", "pgaudit.log"] {
        if overridden(judged, name) {
            continue;
        }
        let shown = server.client().value(&format!("show {name}"))?;
        let default = if name.contains('.') { "none" } else { "" };
        let expected = last.get(name).map_or_else(|| default.to_string(), |line| lossy(&line.setting));
        if shown != expected {
            return Err(format!("`show {name}` gives {shown:?}, the file {expected:?}"));
        }
    }
    // Only the library itself gives this setting its context; without it, it is a name like any other.
    let preload_is_ours = !judged.plan.findings.iter().any(|finding| {
        let codes = [Code::OverriddenByAutoConf, Code::OverriddenByCommand];
        codes.contains(&finding.code) && finding.message.contains("`shared_preload_libraries`")
    });
    let context = server.client().value("select context from pg_settings where name = 'pgaudit.log'");
    if preload_is_ours && context.as_deref() != Ok("superuser") {
        return Err(format!("pgaudit is not loaded: {context:?}"));
    }
    for change in judged.plan.changes.iter().filter(|change| change.after.is_some()) {
        if overridden(judged, &change.subject) || OWN.contains(&change.subject.as_str()) {
            continue;
        }
        let name = literal(&change.subject);
        let sql = format!("select sourcefile, sourceline from pg_settings where lower(name) = {name}");
        let Some(row) = server.client().query(&sql)?.into_iter().next() else {
            // A setting of no library: there is only its value.
            let shown = server.client().value(&format!("select current_setting({name})"))?;
            if Some(&shown) != change.after.as_ref() {
                return Err(format!("`{}` is {shown:?}", change.subject));
            }
            continue;
        };
        let place = row.into_iter().map(|value| lossy(&value.unwrap_or_default()));
        let place = place.collect::<Vec<_>>().join(":");
        let planned = format!("{}/{}:{}", server.cluster().conf().display(), change.path, change.line);
        let is_auto = last.get(&change.subject).is_some_and(|line| line.file == "postgresql.auto.conf");
        if place != planned && !is_auto {
            return Err(format!("`{}` comes from {place}, the plan says {planned}", change.subject));
        }
    }
    for setting in judged.desired.settings() {
        let Compare::Typed(kind) = setting.compare else { continue };
        // Texts are shown otherwise than they are written: `(disabled)`, `ISO, MDY`.
        if overridden(judged, &setting.name) || kind == Type::String {
            continue;
        }
        let shown = server.client().value(&format!("show {}", setting.name))?;
        let is_auto = last.get(&setting.name).is_some_and(|line| line.file == "postgresql.auto.conf");
        if !pgconf::value::same(&kind, shown.as_bytes(), setting.value.as_bytes()) && !is_auto {
            return Err(format!("`show {}` gives {shown:?}, wanted is {:?}", setting.name, setting.value));
        }
    }
    if preload_is_ours { audit(server) } else { Ok(0) }
}

/// What this test sets on the command line itself, of the settings that its documents name.
const OWN: [&str; 1] = ["log_line_prefix"];

/// Runs a statement of every class and compares what the log has of them with what the setting adds up to.
fn audit(server: &mut Server<'_>) -> Result<usize, String> {
    let list = server.client().value("show pgaudit.log")?;
    for (class, statement) in STATEMENTS {
        // A class is in the set where adding it adds nothing; of `misc`, what is not `misc_set`.
        let base = if class == "misc" { "misc_set,none" } else { "none" };
        let with = |class: &str| {
            ClassSet::parse(format!("{list},{class}").trim_start_matches([',', ' ']).as_bytes())
        };
        let is_wanted = with(base) == with(&format!("{base},{class}"));
        let before = audited(server, class);
        server.client().query(statement)?;
        if (audited(server, class) > before) != is_wanted {
            return Err(format!("with {list:?} the statement of {class} is audited: {}", !is_wanted));
        }
    }
    Ok(server.logged().matches("AUDIT: SESSION,").count())
}

/// Counts the lines of a class.
fn audited(server: &Server<'_>, class: &str) -> usize {
    // A SET is logged under `MISC`, whichever of both classes asked for it.
    let pattern = match class {
        "misc_set" => ",MISC,SET,".to_string(),
        "misc" => ",MISC,DISCARD ".to_string(),
        class => format!(",{},", class.to_ascii_uppercase()),
    };
    server.logged().lines().filter(|line| line.contains("AUDIT: SESSION,") && line.contains(&pattern)).count()
}

/// One statement for each class; none of them leaves anything behind.
const STATEMENTS: [(&str, &str); 7] = [
    ("ddl", "begin read write; create temp table kasm_db (a int); rollback"),
    ("read", "begin read write; create temp table kasm_db (a int); select a from kasm_db; rollback"),
    (
        "write",
        "begin read write; create temp table kasm_db (a int); insert into kasm_db values (1); rollback",
    ),
    ("function", "do $$ begin end $$"),
    ("role", "begin read write; create role kasm_db; rollback"),
    ("misc", "discard plans"),
    ("misc_set", "set statement_timeout = 0"),
];
