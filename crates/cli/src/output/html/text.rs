//! Small pieces of a page.

use maud::{Markup, html};

use crate::output::escape;

/// A value or a line that is longer than this is cut: no file of a deployment has one.
const WIDTH: usize = 2000;

/// Writes a text, with what a browser would hide in plain sight.
pub(super) fn shown(text: &str) -> Markup {
    html! { (escape(text)) }
}

/// Writes a value or a name of a file.
pub(super) fn code(text: &str) -> Markup {
    html! { code { (escape(text)) } }
}

/// Writes a message: what stands between its backticks is code.
pub(super) fn words(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return shown(text);
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { (code(part)) } @else { (shown(part)) }
        }
    }
}

/// Writes a word that is seen at once; the class is one of the style sheet: `good`, `changed`, `warned`, `bad` or `plain`.
pub(super) fn badge(text: &str, class: &str) -> Markup {
    html! { span class=(format!("badge {class}")) { (escape(text)) } }
}

/// Writes a value that may be absent.
pub(super) fn value(text: Option<&String>) -> Markup {
    match text {
        Some(text) if text.is_empty() => code("''"),
        Some(text) => code(&cut(text)),
        None => html! { span.quiet { "not set" } },
    }
}

/// Returns as much of a value as a page has room for.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
