//! What the server makes of a text: it writes some values in another way (`iso, dmy`, `utc`), and itself
//! knows best which texts mean the same.

use std::collections::BTreeSet;

use model::{DesiredSetting, DesiredState};

use crate::facts::Server;
use crate::question::{Batch, Question};
use crate::session::literal;
use crate::way::Way;

/// Settings that no session may set, and one that every session may, which takes a text in the same way
/// (PostgreSQL 12 to 18: `check_timezone` and `check_log_timezone`, `check_application_name` and
/// `check_cluster_name`).
const TWINS: &[(&str, &str)] = &[("log_timezone", "timezone"), ("cluster_name", "application_name")];

/// Setting one of these, even for one statement, would change who asks, or what the statement is.
const NEVER: &[&str] = &[
    "role",
    "seed",
    "session_authorization",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
];

/// Asks what the server makes of each text that does not show by itself whether it means what is wanted.
///
/// Mostly there is none. Where the server does not answer, the texts count as they stand.
pub(crate) fn ask(way: &Way, desired: &DesiredState, server: &mut Server) {
    let texts = unclear(desired, server);
    if texts.is_empty() {
        return;
    }
    let mut batch = Batch::qualified();
    let asked: Vec<_> =
        texts.into_iter().map(|(name, text)| (batch.add(meaning(&name, &text)), (name, text))).collect();
    let Ok(mut answers) = batch.ask(way, None) else { return };
    for (question, name_and_text) in asked {
        let meant = answers.take(&question).ok().and_then(|all| all.into_iter().next());
        if let Some(meant) = meant {
            server.meanings.insert(name_and_text, meant);
        }
    }
}

/// Lists what is to be asked: names of settings and texts.
fn unclear(desired: &DesiredState, server: &Server) -> BTreeSet<(String, String)> {
    let mut asked = BTreeSet::new();
    for wanted in desired.settings().iter().filter(|wanted| wanted.is_text()) {
        // What may be logged is compared without the server: a `SET` of it would stand in the audit log.
        if wanted.name.starts_with("pgaudit.") || NEVER.contains(&wanted.name.as_str()) {
            continue;
        }
        let Some(now) = server.setting(&wanted.name) else { continue };
        let overrides = server.overrides.iter().flatten().filter(|over| over.name == wanted.name);
        let line = server.last_line(&wanted.name).map(|line| &line.value);
        let texts = overrides.map(|over| &over.value).chain(line).chain([&now.shown]);
        for text in texts.filter(|text| !server.is_same(wanted, text)) {
            asked.insert((wanted.name.clone(), wanted.value.clone()));
            asked.insert((wanted.name.clone(), text.clone()));
        }
    }
    asked
}

/// Asks for one text. The value holds for the statement alone, as this is its own transaction.
fn meaning(name: &str, text: &str) -> Question<String, 1> {
    let text = literal(text);
    // A connection that changes its encoding in the middle of an answer could not be read.
    if name == "client_encoding" {
        let sql = format!(
            "SELECT 'r', pg_catalog.pg_encoding_to_char(pg_catalog.pg_char_to_encoding({text})::int)"
        );
        return Question::new(sql, |[encoding]| encoding);
    }
    let twin = TWINS.iter().find(|(twin, _)| *twin == name).map_or(name, |(_, settable)| settable);
    let sql = format!("SELECT 'r', pg_catalog.set_config({}, {text}, true)", literal(twin));
    Question::new(sql, |[meant]| meant)
}

impl Server {
    /// Returns whether a text, from wherever it is, gives a setting the value that is wanted.
    pub(crate) fn is_same(&self, wanted: &DesiredSetting, text: &str) -> bool {
        let meant = |text: &str| self.meanings.get(&(wanted.name.clone(), text.to_string()));
        let (vartype, unit) =
            self.setting(&wanted.name).map_or(("", ""), |now| (now.vartype.as_str(), now.unit.as_str()));
        wanted.is_shown(text, vartype, unit)
            || matches!((meant(text), meant(&wanted.value)), (Some(one), Some(other)) if one == other)
    }
}
