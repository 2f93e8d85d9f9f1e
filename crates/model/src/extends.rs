//! Documents that extend others: the chain of parents, and what they come to together.

use std::borrow::Cow;

use serde_json::Value;

use crate::code::Code;
use crate::limits;
use crate::reader::Reader;
use crate::violations::Missing;

/// Returns the bytes of the document at a path, or says why it cannot be read, as a sentence part.
///
/// The path starts where that of the first document does: `sites/kasm-db.yaml` that extends
/// `../base.kasm-db.yaml` asks for `base.kasm-db.yaml`.
pub type Parents<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// A document has at most this many parents, one after the other.
pub const MAX_PARENTS: usize = 4;

impl Reader<'_> {
    /// Reads the parents of a document and puts all of them together.
    ///
    /// Each text is held against the schema by itself, so that what is wrong in one shows even where
    /// another one covers it up. Only a missing key waits for all of them.
    pub(crate) fn chain(&mut self, own: Value, parents: &Parents<'_>) -> Option<Value> {
        let mut whole = true;
        let mut values = vec![own];
        while let Some(next) = values.last().and_then(|value| value.get("extends")).and_then(Value::as_str) {
            let next = next.to_string();
            match self.parent(&next, parents) {
                Some(value) => values.push(value),
                None => {
                    whole = false;
                    break;
                }
            }
        }
        for (text, value) in values.iter().enumerate() {
            if !limits::apart_from_missing(value) {
                self.violations(text..text + 1, value, Missing::Not);
            }
        }
        if !whole {
            return None;
        }
        values.into_iter().rev().reduce(merged)
    }

    /// Reads the document that the present text extends.
    fn parent(&mut self, extends: &str, parents: &Parents<'_>) -> Option<Value> {
        let at = self.texts.value(self.now..self.now + 1, "/extends");
        if !limits::is_document_path(extends) {
            // The schema says so where it looks at this text.
            return None;
        }
        if extends.contains("://") {
            let message = format!("`extends` is an address, not a path: {extends}");
            self.error(Code::ParentUnreadable, at, message).help =
                Some("copy the document to the repository, and write the path of the copy".into());
            return None;
        }
        let path = joined(self.texts.path(self.now), extends);
        if let Some(first) = self.texts.same_file(&path) {
            let message = match first == self.now {
                true => format!("circular `extends`: {path} extends itself"),
                false => {
                    let steps = (first + 1..=self.now).map(|text| self.texts.path(text)).chain([&*path]);
                    let steps: Vec<_> = steps.collect();
                    format!("circular `extends`: {path} extends {}", steps.join(", which extends "))
                }
            };
            self.error(Code::ParentChain, at, message).help =
                Some("remove `extends`, or name a different document".into());
            return None;
        }
        if self.texts.len() > MAX_PARENTS {
            let message =
                format!("`extends` leads to more than {MAX_PARENTS} documents, one after the other");
            self.error(Code::ParentChain, at, message).help = Some("merge some of them".into());
            return None;
        }
        match parents(&path) {
            Ok(bytes) => {
                self.now = self.texts.push(path, Cow::Owned(bytes));
                self.text()
            }
            Err(why) => {
                let message = format!("`extends` names a document that cannot be read: {path}: {why}");
                self.error(Code::ParentUnreadable, at, message).help = Some(
                    "check the path: it is relative to the folder of the document that contains `extends`"
                        .into(),
                );
                None
            }
        }
    }
}

/// Puts a child over its parent: mappings merge, everything else is the child's.
fn merged(parent: Value, child: Value) -> Value {
    match (parent, child) {
        (Value::Object(mut parent), Value::Object(child)) => {
            for (key, value) in child {
                let value = match parent.get_mut(&key) {
                    Some(old) => merged(old.take(), value),
                    None => value,
                };
                parent.insert(key, value);
            }
            Value::Object(parent)
        }
        (_, child) => child,
    }
}

/// Returns the path that `extends` names, as seen from where the path of the child starts.
///
/// `.` and `..` are resolved by name, as Compose does for the files that it extends.
fn joined(child: &str, extends: &str) -> String {
    match child.rsplit_once('/') {
        Some((folder, _)) => pgconf::normalize(&format!("{folder}/{extends}")),
        None => pgconf::normalize(extends),
    }
}

#[cfg(test)]
mod tests;
