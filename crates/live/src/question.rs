//! A question for the server: its SQL together with what its rows mean.

use std::borrow::Cow;

use crate::session::{Answer, Statement, Unreachable};
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

    fn statement(&self) -> Statement {
        Statement::new(self.sql.clone(), N)
    }

    fn reply(&self, answer: Option<Answer>) -> Reply<T> {
        let rows = answer.unwrap_or_else(|| Err("no answer".into()))?;
        // A session gives every row the columns that its statement was said to have.
        Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).map(self.read).collect())
    }

    /// Asks it alone, in a session of its own; the main database's if none is named.
    ///
    /// # Errors
    /// No session, or it broke off.
    pub(crate) fn ask(&self, way: &Way, database: Option<&str>) -> Result<Reply<T>, Unreachable> {
        let answers = way.run(database, &[self.statement()])?;
        Ok(self.reply(answers.into_iter().next()))
    }

    /// Asks it alone in the main database; returns what its first row means.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) fn first(&self, way: &Way) -> Result<Option<T>, String> {
        let reply = self.ask(way, None).map_err(|unreachable| unreachable.why)?;
        Ok(reply?.into_iter().next())
    }
}

/// Questions that one session is asked.
#[derive(Default)]
pub(crate) struct Batch {
    opening: Vec<Statement>,
    others: Vec<Statement>,
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
}

impl Batch {
    /// Adds a question to those that find the session as it was opened: it has to name the schema of everything.
    pub(crate) fn open_with<T, const N: usize>(&mut self, question: Question<T, N>) -> Asked<T, N> {
        self.opening.push(question.statement());
        Asked { question, opens: true, index: self.opening.len() - 1 }
    }

    /// Adds a question.
    pub(crate) fn add<T, const N: usize>(&mut self, question: Question<T, N>) -> Asked<T, N> {
        self.others.push(question.statement());
        Asked { question, opens: false, index: self.others.len() - 1 }
    }

    /// Asks them all in the main database.
    ///
    /// # Errors
    /// No session, or it broke off.
    pub(crate) fn ask(&self, way: &Way) -> Result<Answers, Unreachable> {
        let mut answers = way.run_behind(None, &self.opening, &self.others)?.into_iter().map(Some);
        let opening = answers.by_ref().take(self.opening.len()).collect();
        Ok(Answers { opening, others: answers.collect() })
    }
}

impl Answers {
    /// Takes the reply to a question of the batch.
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
        };
        assert_eq!(answers.take(&one), Err("e".into()));
        assert_eq!(answers.take(&first), Ok(vec![Ok(7)]));
        assert_eq!(answers.take(&pair), Ok(vec!["x=y".into()]));
        assert_eq!(answers.take(&pair), Err("no answer".into()));
    }
}
