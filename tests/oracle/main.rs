//! Real PostgreSQL servers judge every edit of postgresql.conf.
//!
//! PostgreSQL 15 with pgaudit is needed; other majors join in where `KASM_DB_POSTGRES` names a folder that has
//! them as `<major>/bin`. `KASM_DB_CASES` and `KASM_DB_CORPUS` name more confs, as for the other tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test says what it looked at")]
#![allow(clippy::disallowed_methods, reason = "the crate reads no files, its tests do")]

mod confs;
mod documents;
mod generate;
mod judge;
mod reading;
mod starts;
mod values;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use testing::Memory;
use testing::postgres::{Cluster, Installation};

use confs::{Conf, Kind, confs};
use documents::documents;
use judge::{Judged, judge};
use reading::Reader;
use starts::Outcome;

/// The major whose servers are started on the edited files.
const MAIN: u16 = 15;

#[test]
fn postgresql_15_reads_and_runs_every_edit_as_it_was_planned() {
    let Some(installation) = Installation::find(MAIN) else {
        let missing = "PostgreSQL 15 is not there: install postgresql-15 and postgresql-15-pgaudit, or name its \
                       folder in KASM_DB_POSTGRES";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
        eprintln!("{missing}; no server judges the edits");
        return;
    };
    let failures = run(&installation, &confs());
    assert!(failures.is_empty(), "{} disagreements:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_other_major_that_is_there_reads_every_edit_as_it_was_planned() {
    let majors = model::postgres::MAJORS.filter(|major| *major != MAIN);
    let found: Vec<_> = majors.filter_map(Installation::find).collect();
    if found.is_empty() {
        eprintln!("no PostgreSQL but 15 is there: the other majors judge nothing");
        return;
    }
    let confs = confs();
    let failures: Vec<_> = found.iter().flat_map(|installation| run(installation, &confs)).collect();
    assert!(failures.is_empty(), "{} disagreements:\n{}", failures.len(), failures.join("\n"));
}

/// Judges every conf by one major; gives what does not agree.
fn run(installation: &Installation, confs: &[Conf]) -> Vec<String> {
    let major = installation.major;
    let folder = tempfile::Builder::new().prefix("kasm-db-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let asked = Cluster::create(installation, &folder.path().join("ask"));
    let workers = ["one", "two"].map(|name| asked.copy(&folder.path().join(name)));
    asked.stage(&Memory([("postgresql.conf".into(), Vec::new())].into()));
    let library = if major == MAIN { "pgaudit" } else { "" };
    let server = asked.start(&["-c".into(), format!("shared_preload_libraries={library}")]);
    let mut reader =
        Reader::new(server.unwrap_or_else(|why| panic!("PostgreSQL {major} does not start: {why:#?}")));

    let mut failures = Vec::new();
    let all = judge_all(&mut reader, confs, major, &mut failures);
    let mut table = Table::new(&all);
    let values = values::values(&mut reader, &workers[0], major);
    let (up, of_starts) = values::starts(&workers[0], major);
    let next = Mutex::new(all.iter());
    let results: Vec<_> = std::thread::scope(|scope| {
        let work = |cluster| {
            let mut results = Vec::new();
            loop {
                // The lock must be free again before the work begins.
                let Some(judged) = next.lock().unwrap().next() else { return results };
                results.push((judged, take_up(cluster, judged, major)));
            }
        };
        let threads: Vec<_> = workers.iter().map(|cluster| scope.spawn(move || work(cluster))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for (judged, result) in results {
        match result {
            Ok(taken) => table.add(judged, taken),
            Err(why) => failures.push(why),
        }
    }
    println!("PostgreSQL {major}\n{table}");
    println!(
        "values: {} probed, {} refused by both, hooks refuse more of {:?}; {up} starts on single values\n",
        values.probed, values.refused, values.hooks
    );
    failures
        .into_iter()
        .chain(values.failures)
        .chain(of_starts)
        .map(|why| format!("{major}: {why}"))
        .collect()
}

fn judge_all<'a>(
    reader: &mut Reader<'_>,
    confs: &'a [Conf],
    major: u16,
    failures: &mut Vec<String>,
) -> Vec<Judged<'a>> {
    let documents = documents(major);
    let mut all = Vec::new();
    for (index, conf) in confs.iter().enumerate() {
        let before = reader.read(&conf.files);
        let own = conf
            .document
            .as_ref()
            .map(|text| text.replace("postgres_major: 15", &format!("postgres_major: {major}")));
        let own = own.as_deref().map(|text| ("own", text));
        // Every document meets every kind of conf; all meet those that matter most.
        let takes_all = matches!(conf.kind, Kind::Fixture | Kind::Sample | Kind::Kasm);
        let second = 1 + index % (documents.len() - 1);
        let given =
            documents.iter().enumerate().filter(|(number, _)| takes_all || *number == 0 || *number == second);
        for document in given.map(|(_, (name, text))| (*name, text.as_str())).chain(own) {
            match judge(reader, conf, &before, document) {
                Ok(judged) => all.push(judged),
                Err(why) => failures.push(why),
            }
        }
    }
    for judged in all.iter().filter(|judged| judged.label.ends_with("\"audit\"") && major == MAIN) {
        let is_fixture = judged.conf.kind == Kind::Fixture;
        let is_blocked = judged.plan.is_blocked();
        if (is_blocked && judged.conf.starts) || (!is_blocked && is_fixture && !judged.conf.starts) {
            failures.push(format!("{}: is blocked: {is_blocked}", judged.label));
        }
    }
    all
}

/// What the program and the server made of an edit.
struct TakenUp {
    outcome: Outcome,
    why: Vec<String>,
    audited: Option<usize>,
}

fn take_up(cluster: &Cluster, judged: &Judged<'_>, major: u16) -> Result<TakenUp, String> {
    let (outcome, why) = starts::program(cluster, judged)?;
    let is_first = judged.label.ends_with("\"audit\"") || judged.label.ends_with("\"own\"");
    let starts = judged.conf.starts && (is_first || judged.conf.kind == Kind::Kasm) && major == MAIN;
    if !starts || judged.plan.is_blocked() {
        return Ok(TakenUp { outcome, why, audited: None });
    }
    let audited = starts::start(cluster, judged)?;
    Ok(TakenUp { outcome, why, audited: Some(audited) })
}

/// Counts by the kind of conf.
struct Table {
    rows: BTreeMap<Kind, Counts>,
    reasons: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Counts {
    plans: usize,
    edits: usize,
    in_order: usize,
    confirmed: usize,
    unknown: usize,
    outcomes: BTreeMap<Outcome, usize>,
    starts: usize,
    audited: usize,
}

impl Table {
    fn new(all: &[Judged<'_>]) -> Self {
        let mut table = Self { rows: BTreeMap::new(), reasons: BTreeMap::new() };
        for judged in all {
            let row = table.rows.entry(judged.conf.kind).or_default();
            row.plans += 1;
            row.edits += usize::from(!judged.plan.is_blocked() && !judged.plan.is_empty());
            row.in_order += usize::from(!judged.plan.is_blocked() && judged.plan.is_empty());
            row.confirmed += judged.left.confirmed;
            row.unknown += judged.left.unknown;
        }
        table
    }

    fn add(&mut self, judged: &Judged<'_>, taken: TakenUp) {
        let row = self.rows.entry(judged.conf.kind).or_default();
        *row.outcomes.entry(taken.outcome).or_default() += 1;
        row.starts += usize::from(taken.audited.is_some());
        row.audited += taken.audited.unwrap_or_default();
        for why in taken.why {
            *self.reasons.entry(why).or_default() += 1;
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (kind, row) in &self.rows {
            let kind = format!("{kind:?}");
            write!(f, "{kind:9} {:4} plans: {:4} edits, {:3} in order;", row.plans, row.edits, row.in_order)?;
            write!(f, " {} other spellings confirmed, {} not told;", row.confirmed, row.unknown)?;
            writeln!(f, " -C {:?}; {} starts, {} lines of audit", row.outcomes, row.starts, row.audited)?;
        }
        for (reason, count) in &self.reasons {
            writeln!(f, "  {count} times refused before and after: {reason}")?;
        }
        Ok(())
    }
}
