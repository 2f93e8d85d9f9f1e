//! One object of JSON, written member by member; one of them may be a list that grows as the run proceeds.

use std::io::Write as _;

use ops::Error;
use serde::Serialize;

use crate::output::escape_json;
use crate::output::held::Held;
use crate::output::sink::Sink;

/// So many bytes of small rows are handed over at once.
const TOGETHER: usize = 64 << 10;

/// How an object is laid out.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// What comes before a member.
    member: &'static str,
    /// What comes before an item of a list.
    item: &'static str,
    /// What comes between the name of a member and its value.
    colon: &'static str,
}

impl Layout {
    /// Members and rows have lines of their own.
    pub(super) const LINES: Self = Self { member: "\n  ", item: "\n    ", colon: ": " };
    /// The whole object is one line.
    pub(super) const LINE: Self = Self { member: "", item: "", colon: ":" };

    fn value(self, value: &impl Serialize) -> String {
        // A text of JSON has no line end in it, so that every line is indentation and a value.
        if self.member.is_empty() { compact(value) } else { pretty(value).replace('\n', self.member) }
    }

    /// Returns what comes behind a list.
    fn close(self, items: usize) -> String {
        format!("{}]", if items == 0 { "" } else { self.member })
    }
}

/// The object, as far as it is written.
pub(super) struct Writer {
    sink: Sink,
    layout: Layout,
    /// What is not handed over yet.
    text: String,
    members: usize,
    /// How many rows the open list has.
    rows: Option<usize>,
    /// Why the object cannot be written any more. That is an error at its end, and not before: a run does not end in the
    /// middle because of it.
    broken: Option<Error>,
}

/// A list that grows beside the open one, and follows it: what is large is not kept in memory.
pub(super) struct Later {
    held: Held,
    layout: Layout,
    items: usize,
    /// Why some of it is lost.
    lost: Option<Error>,
}

impl Later {
    /// Starts a list.
    pub(super) fn new(layout: Layout) -> Self {
        Self { held: Held::new(&std::env::temp_dir()), layout, items: 0, lost: None }
    }

    /// Adds an item: JSON in one line, escaped already.
    pub(super) fn add(&mut self, json: &str) {
        let comma = if self.items == 0 { "" } else { "," };
        self.items += 1;
        if let Err(error) = write!(self.held, "{comma}{}{json}", self.layout.item) {
            self.lost.get_or_insert_with(|| {
                Error::of_result("cannot keep a part of the result in a temporary file", &error)
            });
        }
    }
}

impl Writer {
    pub(super) fn new(sink: Sink, layout: Layout) -> Self {
        Self { sink, layout, text: String::new(), members: 0, rows: None, broken: None }
    }

    /// Returns whether nothing was written yet.
    pub(super) fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// Writes a line before the object: JSON that is escaped already.
    pub(super) fn line(&mut self, json: &str) {
        self.hand(|sink| sink.text(&format!("{json}\n")));
    }

    /// Writes a member.
    pub(super) fn member(&mut self, name: &str, value: &impl Serialize) {
        self.key(name);
        self.text.push_str(&self.layout.value(value));
    }

    /// Writes the members of a struct.
    pub(super) fn members(&mut self, value: &impl Serialize) {
        if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(value) {
            members.iter().for_each(|(name, value)| self.member(name, value));
        }
    }

    /// Writes a list that grew beside the open one.
    pub(super) fn list(&mut self, name: &str, later: Later) {
        self.key(name);
        self.text.push('[');
        self.hand_over();
        self.hand(|sink| later.lost.map_or_else(|| sink.kept(later.held), Err));
        self.text.push_str(&self.layout.close(later.items));
    }

    /// Begins the list that grows.
    pub(super) fn open_list(&mut self, name: &str) {
        self.key(name);
        self.text.push('[');
        self.rows = Some(0);
    }

    /// Writes a row of the open list: JSON that is escaped already.
    pub(super) fn row(&mut self, json: &str) {
        self.add_row(json);
        self.hand_over();
    }

    /// Writes a row of which there are so many that they are handed over together.
    pub(super) fn small_row(&mut self, json: &str) {
        self.add_row(json);
        if self.text.len() >= TOGETHER {
            self.hand_over();
        }
    }

    /// Returns how many rows the open list has.
    pub(super) fn rows(&self) -> usize {
        self.rows.unwrap_or_default()
    }

    /// Ends the open list, if there is one.
    pub(super) fn close_list(&mut self) {
        if let Some(rows) = self.rows.take() {
            self.text.push_str(&self.layout.close(rows));
        }
    }

    /// Ends the object.
    ///
    /// # Errors
    /// A part of it could not be written.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.text.push_str(self.layout.member.trim_end_matches(' '));
        self.text.push_str("}\n");
        self.hand_over();
        self.hand(|sink| {
            sink.complete();
            sink.end()
        });
        self.broken.take().map_or(Ok(()), Err)
    }

    fn add_row(&mut self, json: &str) {
        let rows = self.rows.get_or_insert(0);
        self.text.push_str(if *rows == 0 { "" } else { "," });
        *rows += 1;
        self.text.push_str(self.layout.item);
        self.text.push_str(&json.replace('\n', self.layout.item));
    }

    fn key(&mut self, name: &str) {
        self.text.push_str(if self.members == 0 { "{" } else { "," });
        self.members += 1;
        self.text.push_str(self.layout.member);
        self.text.push_str(&compact(&name));
        self.text.push_str(self.layout.colon);
    }

    fn hand_over(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.hand(|sink| sink.text(&text));
    }

    fn hand(&mut self, write: impl FnOnce(&mut Sink) -> Result<(), Error>) {
        if self.broken.is_none() {
            self.broken = write(&mut self.sink).err();
        }
    }
}

/// Writes a value in lines.
pub(super) fn pretty(value: &impl Serialize) -> String {
    // These structs hold nothing that JSON cannot: no maps with other keys than text, no NaN.
    escape_json(serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Writes a value in one line.
pub(super) fn compact(value: &impl Serialize) -> String {
    escape_json(serde_json::to_string(value).unwrap_or_default())
}
