//! Lets programs and servers take up the edited confs.

use crate::client::{literal, lossy};
use crate::common::Memory;
use crate::judge::Judged;
use crate::server::{Cluster, Server};

/// Says what a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
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
pub fn program(cluster: &Cluster, judged: &Judged<'_>) -> Result<(Outcome, Vec<String>), String> {
    let conf = judged.conf;
    let ask = |files: &Memory, name: &str| {
        cluster.stage(files);
        cluster.setting(name, &conf.arguments)
    };
    let before = ask(&conf.files, "shared_preload_libraries");
    let Some(reading) = &judged.reading else {
        let has = |code| judged.plan.blockers().any(|finding| finding.code == code);
        return match before {
            Err(_) => Ok((Outcome::Blocked, Vec::new())),
            Ok(_) if has(model::Code::ConfList) => Ok((Outcome::BlockedByList, Vec::new())),
            Ok(_) if has(model::Code::PreloadMissing) => Ok((Outcome::BlockedByAudit, Vec::new())),
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

fn overridden(judged: &Judged<'_>, name: &str) -> bool {
    let dashed = name.replace('_', "-");
    judged.conf.arguments.iter().any(|argument| argument.contains(name) || argument.contains(&dashed))
}

/// Starts a server on an edited conf and looks at what it took up; gives how many log lines the audit wrote.
pub fn start(cluster: &Cluster, judged: &Judged<'_>) -> Result<usize, String> {
    cluster.stage(&judged.after);
    let mut server =
        cluster.start(&judged.conf.arguments).map_err(|why| format!("{} does not start: {why:#?}", judged.label))?;
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
    let context = server.client().value("select context from pg_settings where name = 'pgaudit.log'");
    if context.as_deref() != Ok("superuser") {
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
    audit(server)
}

/// What this test sets on the command line itself.
const OWN: [&str; 2] = ["port", "listen_addresses"];

/// Runs a statement that creates something, and counts what the audit says of it.
fn audit(server: &mut Server<'_>) -> Result<usize, String> {
    let classes = server.client().value("show pgaudit.log")?;
    let classes = model::audit::ClassSet::parse(classes.as_bytes());
    let ddl = model::audit::ClassSet::of(["ddl"]);
    server.client().query("begin read write; create table kasm_db_audited (); rollback")?;
    let said = server.logged().lines().filter(|line| line.contains("AUDIT: SESSION")).count();
    let is_wanted = classes.zip(ddl).is_some_and(|(classes, ddl)| classes.contains(ddl));
    let is_there = server.logged().contains("CREATE TABLE");
    if is_wanted != is_there {
        return Err(format!("classes {classes:?}, but the log has a CREATE TABLE: {is_there}"));
    }
    Ok(said)
}
