//! The probe: one harmless statement of every declared class, and its entry in the server's log.

use std::thread::sleep;
use std::time::{Duration, Instant};

use auditlog::{AuditEntry, AuditType, Ending, Prefix, Reason, Scanner, Visitor};
use model::audit::Class;

use crate::docker::Container;
use crate::facts::{Logged, NotRun, Probe, Server};
use crate::log::{Log, Piece};
use crate::session::{Statement, Unreachable};
use crate::trace::PATIENCE;
use crate::way::Way;
use crate::{log_fault, questions, trace};

/// How often the server is asked which file its log is, while an entry is missing.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs the statements in a transaction that is rolled back, and looks for them in the log.
pub(crate) fn run(
    way: &Way,
    server: &Server,
    container: Option<&Container>,
    classes: &[Class],
) -> Result<Probe, Unreachable> {
    if server.setting("pgaudit.log").is_none() {
        return Ok(Probe::Not(NotRun::NotLoaded));
    }
    let hidden = |name, why: &str| Ok(Probe::Not(NotRun::Setting { name, why: why.into() }));
    // Where the text of statements is not logged, ours would not be found.
    let has_no_text = server.text("pgaudit.log_statement") == "off";
    if has_no_text && !server.superuser {
        let why = "pgaudit.log_statement is off, which only a superuser can change for a session";
        return hidden("pgaudit.log_statement", why);
    }
    if server.text("log_line_prefix").starts_with('\t') {
        return hidden(
            "log_line_prefix",
            "log_line_prefix starts with a tab: its lines cannot be told apart",
        );
    }
    let tag = trace::tag()?;
    let log = match Log::open(way, server, container) {
        Ok(log) => log,
        Err(why) => return Ok(Probe::Not(why)),
    };
    let statements = match server.standby {
        true => on_standby(&tag, classes, has_no_text),
        false => statements(&tag, classes, has_no_text),
    };
    // The file may have been replaced meanwhile.
    let log_file = questions::log_file();
    let texts = statements.iter().map(|(_, statement)| statement.clone());
    // A line besides: if that is missing, too, it is the log that does not grow, and not the auditing.
    let texts: Vec<_> = texts.chain([trace::statement(&tag), log_file.statement()]).collect();
    let mut answers = way.run(None, &texts)?;
    let mut now = log_file.reply(answers.pop()).ok().and_then(|all| all.into_iter().next().flatten());
    // What comes behind a statement that failed fails for its sake.
    let mut first = None;
    let mut results = Vec::new();
    for ((class, _), answer) in statements.iter().zip(&answers) {
        let failed = answer.as_ref().err().map(|why| first.get_or_insert_with(|| why.clone()).clone());
        results.extend(class.map(|class| (class, failed)));
    }
    let impossible: Vec<Class> = classes
        .iter()
        .copied()
        .filter(|class| server.standby && results.iter().all(|(known, _)| known != class))
        .filter(|class| !matches!(class, Class::All | Class::None))
        .collect();
    let (started, mut asked) = (Instant::now(), Instant::now());
    loop {
        let pieces = match log.read(now.as_ref()) {
            Ok(pieces) => pieces,
            Err(why) => {
                let fix = "check that file, and verify again";
                return Ok(Probe::Not(NotRun::Failed(Unreachable::new(why, fix))));
            }
        };
        let entries = entries(&pieces, server.text("log_line_prefix"), &tag);
        let found: Vec<_> = results
            .iter()
            .map(|(class, failed)| {
                let found = match failed {
                    Some(why) => Logged::Failed(why.clone()),
                    None => look(&entries, &marker(&tag, *class), *class),
                };
                (*class, found)
            })
            .chain(impossible.iter().map(|class| (*class, Logged::Impossible)))
            .collect();
        let missing = found.iter().any(|(_, found)| matches!(found, Logged::No(_)));
        if !missing || started.elapsed() > PATIENCE {
            let is_traced = has_line(&pieces, &tag);
            let fault = if missing && !is_traced { log_fault::find(way, &log, container) } else { None };
            return Ok(Probe::Ran { log: log.name(), classes: found, grows: is_traced, fault });
        }
        sleep(Duration::from_millis(100));
        if asked.elapsed() > AGAIN {
            let answers = way.run(None, &[log_file.statement()])?;
            now = log_file
                .reply(answers.into_iter().next())
                .ok()
                .and_then(|all| all.into_iter().next().flatten());
            asked = Instant::now();
        }
    }
}

/// Returns whether the line is there: what it says comes with no entry.
fn has_line(pieces: &[Piece], tag: &str) -> bool {
    let line = format!("looks for this line: {tag}");
    pieces.iter().any(|piece| piece.bytes.windows(line.len()).any(|window| window == line.as_bytes()))
}

fn marker(tag: &str, class: Class) -> String {
    format!("kasm-db probe {tag} {}", class.name())
}

/// Writes the transaction; each statement comes with the class that it is there for.
fn statements(tag: &str, classes: &[Class], has_no_text: bool) -> Vec<(Option<Class>, Statement)> {
    let table = format!("kasm_db_probe_{tag}");
    let plain = |sql: String| (None, Statement::new(sql, 0));
    // Whatever the default of this user is: nothing of it stays.
    let mut all = vec![plain("BEGIN READ WRITE".into())];
    if has_no_text {
        all.push(plain("SET LOCAL pgaudit.log_statement = on".into()));
    }
    let wants_ddl = classes.contains(&Class::Ddl);
    let mark = |class| marker(tag, class);
    // A temporary table, as what touches the catalog alone may be excepted by log_catalog.
    let table_sql = format!("CREATE TEMPORARY TABLE /* {} */ {table} (n integer)", mark(Class::Ddl));
    all.push((wants_ddl.then_some(Class::Ddl), Statement::new(table_sql, 0)));
    for &class in classes {
        let mark = mark(class);
        let (sql, columns) = match class {
            Class::Write => (format!("INSERT /* {mark} */ INTO {table} VALUES (1)"), 0),
            Class::Read => (format!("SELECT /* {mark} */ 'r', n::text FROM {table}"), 1),
            Class::Function => (format!("DO /* {mark} */ $$ BEGIN NULL; END $$"), 0),
            Class::Role => (format!("GRANT /* {mark} */ SELECT ON {table} TO CURRENT_USER"), 0),
            Class::Misc => (format!("LOCK TABLE /* {mark} */ {table} IN ACCESS SHARE MODE"), 0),
            Class::MiscSet => (format!("SET /* {mark} */ LOCAL kasm_db.probe = 'on'"), 0),
            Class::Ddl | Class::All | Class::None => continue,
        };
        all.push((Some(class), Statement::new(sql, columns)));
    }
    all.push(plain("ROLLBACK".into()));
    all
}

/// Writes the transaction for a standby, which runs no statement of the other classes.
fn on_standby(tag: &str, classes: &[Class], has_no_text: bool) -> Vec<(Option<Class>, Statement)> {
    let plain = |sql: &str| (None, Statement::new(sql, 0));
    let mut all = vec![plain("BEGIN")];
    if has_no_text {
        all.push(plain("SET LOCAL pgaudit.log_statement = on"));
    }
    for &class in classes {
        let mark = marker(tag, class);
        let (sql, columns) = match class {
            // Of no table at all, as what touches the catalog alone may be excepted by log_catalog.
            Class::Read => (format!("SELECT /* {mark} */ 'r', '1'"), 1),
            Class::Function => (format!("DO /* {mark} */ $$ BEGIN NULL; END $$"), 0),
            Class::Misc => (format!("LOCK TABLE /* {mark} */ pg_catalog.pg_class IN ACCESS SHARE MODE"), 0),
            Class::MiscSet => (format!("SET /* {mark} */ LOCAL kasm_db.probe = 'on'"), 0),
            Class::Write | Class::Role | Class::Ddl | Class::All | Class::None => continue,
        };
        all.push((Some(class), Statement::new(sql, columns)));
    }
    all.push(plain("ROLLBACK"));
    all
}

/// An entry of the probe: its class, and the text of its statement.
#[derive(Debug)]
struct Seen {
    class: String,
    statement: String,
}

/// Returns the entries of a session's log that have the tag.
fn entries(pieces: &[Piece], prefix: &str, tag: &str) -> Vec<Seen> {
    let prefix = Prefix::new(prefix.as_bytes());
    let mut tagged = Tagged { tag, seen: Vec::new() };
    for piece in pieces {
        Scanner::of(piece.format, Some(&prefix)).scan(&piece.bytes, Ending::End, &mut tagged);
    }
    tagged.seen
}

struct Tagged<'a> {
    tag: &'a str,
    seen: Vec<Seen>,
}

impl Visitor for Tagged<'_> {
    fn entry(&mut self, entry: &AuditEntry<'_>) {
        let fields = entry.fields();
        let statement = String::from_utf8_lossy(&fields.statement()).into_owned();
        if entry.kind() == AuditType::Session && statement.contains(self.tag) {
            let class = String::from_utf8_lossy(entry.class()).into_owned();
            self.seen.push(Seen { class, statement });
        }
    }

    // Others write to the same log, and the end of it may not be written yet.
    fn fault(&mut self, _: u64, _: Reason) {}
}

/// Looks for the entry of a statement.
fn look(entries: &[Seen], marker: &str, class: Class) -> Logged {
    // What is classed as `misc_set` is logged as MISC.
    let wanted = if class == Class::MiscSet { Class::Misc } else { class }.name().to_uppercase();
    let mut others = Vec::new();
    // Not the name of the class alone: `misc` is the start of `misc_set`.
    let marker = format!("/* {marker} */");
    for entry in entries.iter().filter(|entry| entry.statement.contains(&marker)) {
        if entry.class == wanted {
            return Logged::Yes;
        }
        others.push(entry.class.clone());
    }
    Logged::No(others)
}

#[cfg(test)]
mod tests {
    use auditlog::Format;

    use super::*;

    #[track_caller]
    fn found(format: Format, prefix: &str, log: &str, class: Class) -> Logged {
        let pieces = [Piece { format, bytes: log.as_bytes().to_vec() }];
        look(&entries(&pieces, prefix, "0a"), &marker("0a", class), class)
    }

    #[test]
    fn an_entry_is_found_in_every_format_of_the_log_with_9_fields_and_10() {
        let sql = format!("SELECT /* {} */ 'r', 1", marker("0a", Class::Read));
        for rows in ["", ",3"] {
            let entry = format!("AUDIT: SESSION,3,1,READ,SELECT,,,\"{sql}\",<not logged>{rows}");
            let csv = entry.replace('"', "\"\"");
            let json = entry.replace('"', "\\\"");
            let logs = [
                (Format::Stderr, "%m [%p] ", format!("2026-01-01 00:00:00.000 GMT [7] LOG:  {entry}")),
                (Format::Stderr, "%t:>", format!("2026-01-01 00:00:00 GMT:>LOG:  00000: {entry}")),
                (Format::Stderr, "", format!("NOTICE:  {entry}")),
                (
                    Format::Csv,
                    "",
                    format!(
                        "2026-01-01 00:00:00.000 GMT,\"u\",\"d\",7,\"[local]\",6a.7,3,\"SELECT\",\
                         2026-01-01 00:00:00 GMT,3/1,0,LOG,00000,\"{csv}\",,,,,,,,,\"\",\"client backend\",,0"
                    ),
                ),
                (
                    Format::Json,
                    "",
                    format!("{{\"pid\":1,\"error_severity\":\"LOG\",\"message\":\"{json}\"}}"),
                ),
            ];
            for (format, prefix, line) in logs {
                let log = format!("{line}\n");
                assert_eq!(found(format, prefix, &log, Class::Read), Logged::Yes, "{line}");
                let other = found(format, prefix, &log, Class::Write);
                assert_eq!(other, Logged::No(Vec::new()), "{line}");
            }
        }
    }

    #[test]
    fn a_statement_of_several_lines_and_one_of_another_class_are_distinguished() {
        let (read, misc) = (marker("0a", Class::Read), marker("0a", Class::MiscSet));
        let log = format!(
            "x LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,\"SELECT 1,\n\t/* {read} */ 2\",<none>\n\
             x LOG:  AUDIT: SESSION,2,1,MISC,SET,,,SET /* {misc} */ x,<none>\n"
        );
        assert_eq!(found(Format::Stderr, "x ", &log, Class::Read), Logged::Yes);
        assert_eq!(found(Format::Stderr, "x ", &log, Class::MiscSet), Logged::Yes);
        assert_eq!(found(Format::Stderr, "x ", &log, Class::Misc), Logged::No(Vec::new()));
        let wrong = log.replace(",READ,", ",WRITE,");
        let others = Logged::No(vec!["WRITE".into()]);
        assert_eq!(found(Format::Stderr, "x ", &wrong, Class::Read), others);
    }

    #[test]
    fn a_statement_that_is_logged_for_another_reason_is_not_an_entry() {
        let marker = marker("0a", Class::Ddl);
        let log = format!(
            "LOG:  statement: CREATE TABLE /* {marker} */ t ()\n\
             LOG:  AUDIT: OBJECT,1,1,DDL,CREATE TABLE,,,CREATE TABLE /* {marker} */ t (),<none>\n\
             LOG:  statement: x AUDIT: SESSION,1,1,DDL,CREATE TABLE,,,/* {marker} */,<none>\n"
        );
        assert_eq!(found(Format::Stderr, "", &log, Class::Ddl), Logged::No(Vec::new()));
    }

    #[test]
    fn every_statement_stands_in_a_transaction_that_is_rolled_back() {
        let all = model::audit::ClassSet::of(["all"]).unwrap().classes();
        let statements = statements("0a", &all, false);
        let texts: Vec<_> = statements.iter().map(|(_, statement)| statement.sql.as_str()).collect();
        assert_eq!((texts.first(), texts.last()), (Some(&"BEGIN READ WRITE"), Some(&"ROLLBACK")));
        assert_eq!(statements.iter().filter(|(class, _)| class.is_some()).count(), 7);
    }
}
