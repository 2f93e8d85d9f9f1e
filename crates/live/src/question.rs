//! A question for the server: its SQL together with what its rows mean.

use std::borrow::Cow;

use crate::session::{Answer, Row, Statement, Unreachable};
use crate::way::Way;

/// A question, each row of whose answer has `N` columns and means a `T`.
pub(crate) struct Question<T, const N: usize> {
    sql: Cow<'static, str>,
    read: fn([String; N]) -> T,
}

/// What came of a question: what its rows mean, or the server's error.
pub(crate) type Reply<T> = Result<Vec<T>, String>;

impl<T, const N: usize> Question<T, N> {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>, read: fn([String; N]) -> T) -> Self {
        Self { sql: sql.into(), read }
    }

    pub(crate) fn statement(&self) -> Statement {
        Statement::new(self.sql.clone(), N)
    }

    pub(crate) fn reply(&self, answer: Option<Answer>) -> Reply<T> {
        let rows = answer.unwrap_or_else(|| Err("no answer".into()))?;
        // A session gives every row the columns that its statement was said to have.
        Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).map(self.read).collect())
    }
}

/// Questions that one session is asked.
///
/// They take as few statements as possible, as each statement may leave an entry in the audit log: those that find the session
/// as it was opened are statements of their own, and all others are one together.
#[derive(Default)]
pub(crate) struct Batch {
    opening: Vec<Statement>,
    others: Vec<Statement>,
    last: Option<Statement>,
    is_qualified: bool,
}

/// A question of a [`Batch`], to take its reply with.
pub(crate) struct Asked<T, const N: usize> {
    question: Question<T, N>,
    opens: bool,
    index: usize,
}

/// The answers to a [`Batch`].
pub(crate) struct Answers {
    opening: Vec<Option<Answer>>,
    others: Vec<Option<Answer>>,
    last: Option<Answer>,
}

impl Batch {
    /// Begins a batch of questions that name the schema of everything.
    pub(crate) fn qualified() -> Self {
        Self { is_qualified: true, ..Self::default() }
    }

    /// Adds a question to those that find the session as it was opened: it has to name the schema of everything. The last one
    /// has to make `pg_catalog` the search path, as [`questions::settings`](crate::questions::settings) does.
    pub(crate) fn open_with<T, const N: usize>(&mut self, question: Question<T, N>) -> Asked<T, N> {
        self.opening.push(question.statement());
        Asked { question, opens: true, index: self.opening.len() - 1 }
    }

    /// Adds a question.
    pub(crate) fn add<T, const N: usize>(&mut self, question: Question<T, N>) -> Asked<T, N> {
        self.others.push(question.statement());
        Asked { question, opens: false, index: self.others.len() - 1 }
    }

    /// Runs a statement behind all questions.
    pub(crate) fn end_with(&mut self, statement: Statement) {
        self.last = Some(statement);
    }

    /// Asks them all in a database; in the main one if none is named.
    ///
    /// # Errors
    /// No session, or it broke off.
    pub(crate) fn ask(&self, way: &Way, database: Option<&str>) -> Result<Answers, Unreachable> {
        let together: Vec<_> = together(&self.others).into_iter().chain(self.last.clone()).collect();
        let mut answers = match &self.opening[..] {
            [] => self.run(way, database, &together)?,
            opening => way.run_behind(database, &[opening, &together].concat(), &[])?,
        }
        .into_iter();
        let opening = answers.by_ref().take(self.opening.len()).map(Some).collect();
        let others = answers.next();
        let last = answers.next();
        let others = match others {
            None => Vec::new(),
            Some(Ok(rows)) => apart(rows, &self.others).map(|rows| Some(Ok(rows))).collect(),
            Some(Err(why)) if self.others.len() == 1 => vec![Some(Err(why))],
            // Only those fail that the server refuses.
            Some(Err(_)) => self.run(way, database, &self.others)?.into_iter().map(Some).collect(),
        };
        Ok(Answers { opening, others, last })
    }

    fn run(
        &self,
        way: &Way,
        database: Option<&str>,
        statements: &[Statement],
    ) -> Result<Vec<Answer>, Unreachable> {
        match self.is_qualified {
            true => way.run_behind(database, statements, &[]),
            false => way.run(database, statements),
        }
    }
}

/// Combines several statements into one: its rows begin with the number of the statement that they belong to.
fn together(statements: &[Statement]) -> Option<Statement> {
    let most = statements.iter().map(|statement| statement.columns).max()?;
    let part = |(number, statement): (usize, &Statement)| {
        let columns: Vec<_> = (0..statement.columns).map(|column| format!("c{column}")).collect();
        let shown = columns.iter().map(|column| format!("{column}::pg_catalog.text"));
        let shown: Vec<_> =
            shown.chain(std::iter::repeat_n("''".to_string(), most - columns.len())).collect();
        let names: Vec<_> = std::iter::once("m".to_string()).chain(columns).collect();
        format!(
            "SELECT 'r', '{number}', {} FROM ({}) AS q({})",
            shown.join(", "),
            statement.sql,
            names.join(", ")
        )
    };
    let parts: Vec<_> = statements.iter().enumerate().map(part).collect();
    Some(Statement::new(parts.join(" UNION ALL "), most + 1))
}

/// Sorts the rows of one statement by the statements that it was made of.
fn apart(rows: Vec<Row>, statements: &[Statement]) -> impl Iterator<Item = Vec<Row>> {
    let mut all: Vec<Vec<Row>> = vec![Vec::new(); statements.len()];
    for mut row in rows {
        let number = row.first().and_then(|number| number.parse::<usize>().ok());
        if let Some((rows, statement)) =
            number.and_then(|number| all.get_mut(number).zip(statements.get(number)))
        {
            row.remove(0);
            row.truncate(statement.columns);
            rows.push(row);
        }
    }
    all.into_iter()
}

impl Answers {
    /// Accepts what came of the statement behind all questions.
    pub(crate) fn last(&mut self) -> Option<Answer> {
        self.last.take()
    }

    /// Accepts the reply to a question of the batch.
    pub(crate) fn take<T, const N: usize>(&mut self, asked: &Asked<T, N>) -> Reply<T> {
        let of = if asked.opens { &mut self.opening } else { &mut self.others };
        asked.question.reply(of.get_mut(asked.index).and_then(Option::take))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_is_the_one_to_its_question_in_whatever_order_they_are_taken() {
        let mut batch = Batch::default();
        let pair = batch.add(Question::new("a", |[name, value]| format!("{name}={value}")));
        let one = batch.add(Question::new("b", |[name]| name));
        let first = batch.open_with(Question::new("c", |[number]| number.parse::<u32>()));
        let row = |fields: &[&str]| Ok(vec![fields.iter().map(ToString::to_string).collect()]);
        let mut answers = Answers {
            opening: vec![Some(row(&["7"]))],
            others: vec![Some(row(&["x", "y"])), Some(Err("e".into()))],
            last: None,
        };
        assert_eq!(answers.take(&one), Err("e".into()));
        assert_eq!(answers.take(&first), Ok(vec![Ok(7)]));
        assert_eq!(answers.take(&pair), Ok(vec!["x=y".into()]));
        assert_eq!(answers.take(&pair), Err("no answer".into()));
    }
}
