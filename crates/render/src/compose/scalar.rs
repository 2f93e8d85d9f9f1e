//! A scalar to be written at another place than its own: in a block, in brackets, or in quotes.

use model::yaml::{Kind, NodeId, Style};

use crate::compose::file::ComposeFile;

/// A scalar to be written at another place than its own.
pub(super) struct Scalar {
    /// As it is written now, if that is one line.
    raw: Option<String>,
    text: String,
}

impl Scalar {
    /// An image, which never needs quotes where it starts with a letter.
    pub(super) fn image(image: &str) -> Self {
        Self { raw: Some(plain(image)), text: image.to_string() }
    }

    /// A text that is written in quotes if it needs them.
    pub(super) fn text(text: &str) -> Self {
        Self { raw: None, text: text.to_string() }
    }

    /// A scalar as a file has it.
    pub(super) fn of(file: &ComposeFile, id: NodeId) -> Self {
        let raw = file.written(id);
        let node = file.tree.written(id);
        let block = matches!(node.kind, Kind::Scalar(_, Style::Literal | Style::Folded));
        let one_line = !block && !raw.is_empty() && !raw.contains(['\n', '\r']);
        Self {
            raw: one_line.then(|| raw.to_string()),
            text: file.tree.scalar(id).unwrap_or_default().to_string(),
        }
    }

    /// Omits how it is written, which may be by an alias.
    pub(super) fn without_aliases(self) -> Self {
        Self { raw: None, ..self }
    }

    /// Writes it in a block collection.
    pub(super) fn in_block(&self) -> String {
        self.raw.clone().unwrap_or_else(|| self.quoted())
    }

    /// Writes it in brackets, where a plain scalar ends at more characters.
    pub(super) fn in_flow(&self) -> String {
        match &self.raw {
            Some(raw) if raw.starts_with(['"', '\'', '*']) || !raw.contains([',', '[', ']', '{', '}']) => {
                raw.clone()
            }
            _ => self.quoted(),
        }
    }

    /// Writes it in double quotes.
    pub(super) fn quoted(&self) -> String {
        let mut out = String::from("\"");
        for c in self.text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
        out
    }
}

/// Writes an image as a plain scalar where every YAML reader takes it for text, else in quotes.
pub(super) fn plain(image: &str) -> String {
    let starts = image.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_word = image.contains(|c: char| c.is_ascii_alphabetic());
    if starts && is_word { image.to_string() } else { format!("\"{image}\"") }
}
