//! Words for statements that are not classes of pgaudit, and the class that logs them.

use crate::audit::Class;

/// A word that somebody may write for a class.
pub(crate) struct Statement {
    /// The class that logs what the word means; `None` if several do, or none does.
    pub(crate) class: Option<Class>,
    /// Whether that class logs nothing else that the word may mean.
    pub(crate) is_certain: bool,
    /// What to write.
    pub(crate) advice: String,
}

/// Words, the class that logs the statements that they mean, and advice that says more than the class does.
const WORDS: &[(&[&str], Option<Class>, &str)] = &[
    (&["dml"], Some(Class::Write), "use `write` for INSERT, UPDATE, and DELETE, and `read` for SELECT"),
    (&["dql", "select"], Some(Class::Read), ""),
    (&["insert", "update", "delete", "truncate", "merge", "modify", "mod"], Some(Class::Write), ""),
    (&["dcl", "grant", "revoke"], Some(Class::Role), ""),
    (
        &["user", "users", "privileges", "permissions"],
        Some(Class::Role),
        "use `role` for GRANT, REVOKE and the statements about roles",
    ),
    (&["create", "alter", "drop"], Some(Class::Ddl), "use `ddl`, and `role` for the statements about roles"),
    (
        &["table", "tables", "schema", "index"],
        Some(Class::Ddl),
        "use `ddl` for statements that create, alter, or drop an object, and `read` and `write` for its rows",
    ),
    (&["call", "do", "procedure", "procedures"], Some(Class::Function), ""),
    (&["set"], Some(Class::MiscSet), ""),
    (
        &["tcl", "begin", "commit", "rollback", "transaction", "vacuum", "discard", "fetch", "checkpoint"],
        Some(Class::Misc),
        "",
    ),
    (&["*", "any", "everything"], Some(Class::All), ""),
    (&["copy"], None, "use `read` for COPY TO, and `write` for COPY FROM"),
    (
        &["connect", "connection", "connections", "login", "logins", "disconnect"],
        None,
        "set `settings.log_connections` to true instead: pgaudit logs statements only",
    ),
    (
        &["error", "errors"],
        None,
        "set `settings.log_min_error_statement` instead: pgaudit does not log errors",
    ),
];

/// Finds what a word means, in any letter case.
pub(crate) fn statement(word: &str) -> Option<Statement> {
    let is_meant = |words: &&[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let (_, class, advice) = WORDS.iter().find(|(words, ..)| is_meant(words))?;
    let of_class = |class: &Class| format!("use `{}`, which logs {}", class.name(), class.statements());
    // Who writes `dml` means what changes rows.
    let is_certain = class.is_some() && (advice.is_empty() || *class == Some(Class::Write));
    let advice = match class {
        Some(class) if advice.is_empty() => of_class(class),
        _ => (*advice).to_string(),
    };
    Some(Statement { class: *class, is_certain, advice })
}

/// Returns the advice for a word that is not a class but is known to mean statements: `dml`, `select`.
pub fn class_of(word: &str) -> Option<String> {
    statement(word).map(|statement| statement.advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_leads_to_the_class_that_logs_it() {
        for (word, class) in [
            ("dml", Some(Class::Write)),
            ("SELECT", Some(Class::Read)),
            ("grant", Some(Class::Role)),
            ("create", Some(Class::Ddl)),
            ("tables", Some(Class::Ddl)),
            ("set", Some(Class::MiscSet)),
            ("copy", None),
            ("login", None),
        ] {
            assert_eq!(statement(word).unwrap().class, class, "{word}");
        }
        assert!(statement("grant").unwrap().is_certain && !statement("create").unwrap().is_certain);
        assert!(statement("ddl").is_none() && statement("banana").is_none());
    }

    #[test]
    fn no_word_is_a_class_or_is_there_twice() {
        let mut all: Vec<_> = WORDS.iter().flat_map(|(words, ..)| *words).collect();
        assert!(all.iter().all(|word| Class::from_name(word).is_none()));
        all.sort_unstable();
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    }
}
