//! Diagnostics for people: with the source's lines for the document, without them for observed files.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Patch, Renderer, Snippet};
use model::{Diagnostic, Place, Severity};

use crate::output::{escape, style};

/// Renders a diagnostic of the document, with its lines and a caret below the place.
///
/// `texts` gives the bytes behind a place's path. The document holds no secrets: there is no key for one.
pub(crate) fn with_source<'t>(diagnostic: &Diagnostic, texts: &dyn Fn(&str) -> &'t [u8]) -> String {
    let (message, help) = (escape(&diagnostic.message), diagnostic.help.as_deref().map(escape));
    let label = diagnostic.label.as_deref().map(escape);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(message.as_str()).id(diagnostic.code.id());
    let Some(place) = &diagnostic.place else {
        return format!(
            "{}\n",
            Renderer::styled().render(&[title.elements(std::iter::empty::<Snippet<'_, Patch<'_>>>())])
        );
    };
    // What the source's lines hold is shown as it is escaped, so the spans must be those of that text.
    let text_of = |place: &Place| Escaped::new(&String::from_utf8_lossy(texts(&place.path)));
    let text = text_of(place);
    let path = escape(&place.path);
    let mut snippet = Snippet::source(text.text.as_str()).path(path.as_str()).annotation(
        AnnotationKind::Primary.span(text.span(place)).label(label.as_deref().unwrap_or_default()),
    );
    let related = diagnostic.related.as_ref().map(|(at, why)| (at, escape(why)));
    let elsewhere = related
        .as_ref()
        .filter(|(at, _)| at.path != place.path)
        .map(|(at, _)| (text_of(at), escape(&at.path)));
    let mut second = None;
    if let Some((at, why)) = &related {
        let note = |text: &Escaped| AnnotationKind::Context.span(text.span(at)).label(why.as_str());
        match &elsewhere {
            None => snippet = snippet.annotation(note(&text)),
            Some((text, path)) => {
                second = Some(Snippet::source(text.text.as_str()).path(path.as_str()).annotation(note(text)));
            }
        }
    }
    let mut group = title.element(snippet);
    if let Some(second) = second {
        group = group.element(second);
    }
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut report = vec![group];
    let fix;
    if let Some((range, replacement)) = &diagnostic.fix {
        fix = escape(replacement);
        let patch = Patch::new(text.range(range.clone()), fix.as_str());
        let title = Level::HELP.secondary_title("write this instead");
        report.push(title.element(Snippet::source(text.text.as_str()).path(path.as_str()).patch(patch)));
    }
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    format!("{}\n", renderer.render(&report))
}

/// Renders a finding in observed files: its places, and none of their bytes.
pub(crate) fn without_source(diagnostic: &Diagnostic, places: &[&Place]) -> String {
    let (name, color) = match diagnostic.severity {
        Severity::Error => ("error", style::ERROR),
        Severity::Warning => ("warning", style::WARNING),
    };
    let bold = style::BOLD;
    let mut out = format!(
        "{color}{name}[{}]{color:#}{bold}: {}{bold:#}\n",
        diagnostic.code.id(),
        escape(&diagnostic.message)
    );
    let at = |place: &Place| format!("{}:{}:{}", escape(&place.path), place.line, place.column);
    for place in places {
        out.push_str(&format!("  --> {}\n", at(place)));
    }
    if let Some((place, why)) = &diagnostic.related {
        out.push_str(&format!("  ::: {}: {}\n", at(place), escape(why)));
    }
    if let Some(help) = &diagnostic.help {
        out.push_str(&format!("  = help: {}\n", escape(help)));
    }
    if diagnostic.is_error()
        && let Some(risk) = diagnostic.code.risk()
    {
        out.push_str(&format!(
            "  = `--allow {}` goes on all the same: {}\n",
            diagnostic.code.name(),
            escape(risk)
        ));
    }
    out
}

/// A text whose unsafe characters are escaped, and the way from its old offsets to the new ones.
struct Escaped {
    text: String,
    /// Where an escaped character stood, and how many bytes the text has grown by behind it.
    grown: Vec<(usize, usize)>,
}

impl Escaped {
    fn new(source: &str) -> Self {
        let (mut text, mut grown, mut total) = (String::with_capacity(source.len()), Vec::new(), 0);
        for (at, c) in source.char_indices() {
            // A CR before a line feed is a line end like others.
            if !crate::output::is_unsafe(c) || (c == '\r' && source[at + 1..].starts_with('\n')) {
                text.push(c);
                continue;
            }
            let written = format!("\\u{{{:x}}}", u32::from(c));
            total += written.len() - c.len_utf8();
            text.push_str(&written);
            grown.push((at, total));
        }
        Self { text, grown }
    }

    fn offset(&self, old: usize) -> usize {
        let behind = self.grown.partition_point(|(at, _)| *at < old);
        let new = old + behind.checked_sub(1).map_or(0, |last| self.grown[last].1);
        let mut new = new.min(self.text.len());
        while !self.text.is_char_boundary(new) {
            new -= 1;
        }
        new
    }

    fn range(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        self.offset(range.start)..self.offset(range.end)
    }

    fn span(&self, place: &Place) -> std::ops::Range<usize> {
        self.range(place.span.clone())
    }
}
