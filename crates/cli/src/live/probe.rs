//! The probe: one harmless statement of every declared class, and its entry in the server's log.

use std::thread::sleep;
use std::time::{Duration, Instant};

use model::audit::Class;

use crate::live::docker::Container;
use crate::live::facts::{Found, Probe, Server};
use crate::live::log::Log;
use crate::live::session::{Statement, Unreachable, Way};

/// How long an entry may take from the session to the file: the log has a process of its own.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the statements in a transaction that is rolled back, and looks for them in the log.
pub(crate) fn run(
    way: &Way,
    server: &Server,
    container: Option<&Container>,
    classes: &[Class],
) -> Result<Probe, Unreachable> {
    if server.standby {
        return Ok(Probe::Not("the server is a standby, where the statements can not run".into()));
    }
    if server.setting("pgaudit.log").is_none() {
        return Ok(Probe::Not("pgaudit is not loaded".into()));
    }
    let tag = tag().map_err(|why| Unreachable::new(why, "check /dev/urandom"))?;
    let mut log = match Log::open(way, server, container) {
        Ok(log) => log,
        Err(why) => return Ok(Probe::Not(why)),
    };
    let statements = statements(&tag, classes, server);
    let texts: Vec<_> = statements.iter().map(|(_, statement)| statement.clone()).collect();
    let answers = way.run(None, &texts)?;
    let mut results = Vec::new();
    for ((class, _), answer) in statements.iter().zip(&answers) {
        if let Some(class) = class {
            results.push((*class, answer.as_ref().err().cloned()));
        }
    }
    let started = Instant::now();
    loop {
        let bytes = match log.read(server) {
            Ok(bytes) => bytes,
            Err(why) => return Ok(Probe::Not(why)),
        };
        let found: Vec<_> = results
            .iter()
            .map(|(class, failed)| {
                let found = match failed {
                    Some(why) => Found::Failed(why.clone()),
                    None => look(&bytes, &marker(&tag, *class), *class),
                };
                (*class, found)
            })
            .collect();
        let missing = found.iter().any(|(_, found)| matches!(found, Found::NotLogged(_)));
        if !missing || started.elapsed() > PATIENCE {
            return Ok(Probe::Ran { log: log.name(), classes: found });
        }
        sleep(Duration::from_millis(100));
    }
}

/// Makes a tag that no other probe has, so that no entry of another one can be taken for ours.
fn tag() -> Result<String, String> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes))
        .map_err(|error| format!("/dev/urandom: {}", crate::document::reason(&error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn marker(tag: &str, class: Class) -> String {
    format!("kasm-db probe {tag} {}", class.name())
}

/// Writes the transaction; each statement comes with the class that it is there for.
fn statements(tag: &str, classes: &[Class], server: &Server) -> Vec<(Option<Class>, Statement)> {
    let table = format!("kasm_db_probe_{tag}");
    let plain = |sql: String| (None, Statement::new(sql, 0));
    let mut all = vec![plain("BEGIN".into())];
    // Where the text of statements is not logged, ours would not be found.
    if server.superuser && server.text("pgaudit.log_statement") == "off" {
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

/// Looks for the entry of a statement, in any of the server's three formats: the part in front of the text
/// of the statement is the same in all of them, and the statement has one line.
fn look(log: &[u8], marker: &str, class: Class) -> Found {
    // What is classed as `misc_set` is logged as MISC.
    let wanted = if class == Class::MiscSet { Class::Misc } else { class }.name().to_uppercase();
    let mut others = Vec::new();
    for line in log.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((before, _)) = line.split_once(marker) else { continue };
        let Some((_, entry)) = before.rsplit_once("AUDIT: SESSION,") else { continue };
        match entry.split(',').nth(2) {
            Some(found) if found == wanted => return Found::Logged,
            Some(found) => others.push(found.to_string()),
            None => {}
        }
    }
    Found::NotLogged(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_in_every_format_of_the_log() {
        let marker = marker("0a", Class::Read);
        let sql = format!("SELECT /* {marker} */ 1");
        for line in [
            format!("2026-01-01 UTC:>LOG:  AUDIT: SESSION,3,1,READ,SELECT,,,{sql},<not logged>"),
            format!(
                r#"2026,"u","d",1,"[local]",x,3,"SELECT",LOG,00000,"AUDIT: SESSION,1,1,READ,SELECT,,,{sql},<none>",,"#
            ),
            format!(r#"{{"pid":1,"message":"AUDIT: SESSION,1,1,READ,SELECT,,,{sql},<not logged>"}}"#),
        ] {
            let log = format!("first\n{line}\nlast\n");
            assert_eq!(look(log.as_bytes(), &marker, Class::Read), Found::Logged, "{line}");
            assert_eq!(look(log.as_bytes(), &marker, Class::Write), Found::NotLogged(vec!["READ".into()]));
        }
    }

    #[test]
    fn a_statement_that_is_logged_for_another_reason_is_no_entry() {
        let marker = marker("0a", Class::Ddl);
        let log = format!("LOG:  statement: CREATE TABLE /* {marker} */ t ()\nAUDIT: SESSION,1,1,DDL\n");
        assert_eq!(look(log.as_bytes(), &marker, Class::Ddl), Found::NotLogged(Vec::new()));
        let set = super::marker("0a", Class::MiscSet);
        let log = format!("AUDIT: SESSION,1,1,MISC,SET,,,SET /* {set} */ x\n");
        assert_eq!(look(log.as_bytes(), &set, Class::MiscSet), Found::Logged);
    }

    #[test]
    fn every_statement_stands_in_a_transaction_that_is_rolled_back() {
        let all = model::audit::ClassSet::of(["all"]).unwrap().classes();
        let statements = statements("0a", &all, &Server::default());
        let texts: Vec<_> = statements.iter().map(|(_, statement)| statement.sql.as_str()).collect();
        assert_eq!((texts.first(), texts.last()), (Some(&"BEGIN"), Some(&"ROLLBACK")));
        assert_eq!(statements.iter().filter(|(class, _)| class.is_some()).count(), 7);
    }
}
