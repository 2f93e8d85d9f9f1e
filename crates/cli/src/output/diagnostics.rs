//! Diagnostics for people: with the source's lines for the document, without them for observed files.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Patch, Renderer, Snippet};
use model::{Diagnostic, Location, Severity, names_schema};

use crate::output::{escape, escape_lines, style};

/// Renders a diagnostic of the document, with its lines and a caret below the place.
///
/// What to write instead also has what is to be written for the others of `all` on its line: as one of several it would
/// show a line that is still wrong. `texts` gives the bytes behind a place's path. The document holds no secrets: there is no key for one.
pub(crate) fn with_source<'t>(
    diagnostic: &Diagnostic,
    all: &[Diagnostic],
    texts: &dyn Fn(&str) -> &'t [u8],
) -> String {
    let (message, help) = (escape(&diagnostic.message), diagnostic.help.as_deref().map(escape));
    let label = diagnostic.label.as_deref().map(escape);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(message.as_str()).id(diagnostic.code.id());
    let Some(place) = &diagnostic.location else {
        return format!(
            "{}\n",
            Renderer::styled().render(&[title.elements(std::iter::empty::<Snippet<'_, Patch<'_>>>())])
        );
    };
    // Of what is not a document no line is shown: it may be any file of this machine.
    if !names_schema(texts(&place.path)) {
        return without_source(diagnostic, &[place]);
    }
    let related = diagnostic.related.as_ref().map(|(at, why)| (at, escape(why)));
    let (here, there): (Vec<_>, Vec<_>) =
        related.iter().map(|(at, _)| *at).partition(|at| at.path == place.path);
    let fixes = fixes_of_line(diagnostic, place, all);
    let spans: Vec<_> = [&place.span]
        .into_iter()
        .chain(here.iter().map(|at| &at.span))
        .chain(fixes.iter().map(|(range, _)| range))
        .collect();
    let (quoted, named): (Vec<_>, Vec<_>) = there.into_iter().partition(|at| names_schema(texts(&at.path)));
    let note = related.as_ref().filter(|_| !named.is_empty());
    let note = note.map(|(at, why)| format!("{}:{}:{}: {why}", escape(&at.path), at.line, at.column));
    let elsewhere = quoted.first().map(|at| (Escaped::of(texts(&at.path), &[&at.span]), escape(&at.path)));
    let (Some(text), None | Some((Some(_), _))) = (Escaped::of(texts(&place.path), &spans), &elsewhere)
    else {
        return without_source(diagnostic, &[place]);
    };
    let path = escape(&place.path);
    let snippet = Snippet::source(text.text.as_str()).line_start(text.first).path(path.as_str());
    let mut snippet = snippet.annotation(
        AnnotationKind::Primary.span(text.span(place)).label(label.as_deref().unwrap_or_default()),
    );
    let mut second = None;
    if let Some((at, why)) = &related {
        let annotated = |text: &Escaped| AnnotationKind::Context.span(text.span(at)).label(why.as_str());
        match &elsewhere {
            Some((Some(text), path)) => {
                let snippet = Snippet::source(text.text.as_str()).line_start(text.first).path(path.as_str());
                second = Some(snippet.annotation(annotated(text)));
            }
            _ if !here.is_empty() => snippet = snippet.annotation(annotated(&text)),
            _ => {}
        }
    }
    let mut group = title.element(snippet);
    if let Some(second) = second {
        group = group.element(second);
    }
    if let Some(note) = &note {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut report = vec![group];
    if !fixes.is_empty() {
        let patches = fixes.iter().map(|(range, fix)| Patch::new(text.range(range.clone()), fix.as_str()));
        let title = Level::HELP.secondary_title("write this instead");
        let snippet = Snippet::source(text.text.as_str()).line_start(text.first).path(path.as_str());
        report.push(title.element(snippet.patches(patches)));
    }
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    format!("{}\n", renderer.render(&report))
}

/// Returns the fix of a diagnostic, escaped, and those of the others on its line; none if it has none itself.
fn fixes_of_line(
    diagnostic: &Diagnostic,
    place: &Location,
    all: &[Diagnostic],
) -> Vec<(Range<usize>, String)> {
    let Some((own, text)) = &diagnostic.fix else { return Vec::new() };
    let mut fixes = vec![(own.clone(), text)];
    for other in all {
        let is_here = |at: &Location| (at.path.as_str(), at.line) == (place.path.as_str(), place.line);
        let (true, Some((range, text))) = (other.location.as_ref().is_some_and(is_here), &other.fix) else {
            continue;
        };
        if fixes.iter().all(|(fixed, _)| fixed.end <= range.start || range.end <= fixed.start) {
            fixes.push((range.clone(), text));
        }
    }
    fixes.sort_by_key(|(range, _)| range.start);
    fixes.into_iter().map(|(range, text)| (range, escape_lines(text))).collect()
}

/// Renders a diagnostic of the document in one line.
pub(crate) fn in_one_line(diagnostic: &Diagnostic) -> String {
    let (name, color) = named(diagnostic);
    let mut out = format!("{color}{name}[{}]{color:#}: ", diagnostic.code.id());
    if let Some(place) = &diagnostic.location {
        out.push_str(&format!("{}:{}:{}: ", escape(&place.path), place.line, place.column));
    }
    out.push_str(&escape(&diagnostic.message));
    if let Some(help) = &diagnostic.help {
        out.push_str(&format!("; {}", escape(help)));
    }
    out.push('\n');
    out
}

fn named(diagnostic: &Diagnostic) -> (&'static str, anstyle::Style) {
    match diagnostic.severity {
        Severity::Error => ("error", style::ERROR),
        Severity::Warning => ("warning", style::WARNING),
    }
}

/// Renders a finding in observed files: its places, and none of their bytes.
pub(crate) fn without_source(diagnostic: &Diagnostic, places: &[&Location]) -> String {
    let (name, color) = named(diagnostic);
    let bold = style::BOLD;
    let mut out = format!(
        "{color}{name}[{}]{color:#}{bold}: {}{bold:#}\n",
        diagnostic.code.id(),
        escape(&diagnostic.message)
    );
    let at = |place: &Location| format!("{}:{}:{}", escape(&place.path), place.line, place.column);
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
            "  = `--allow {}` proceeds anyway. Risk: {}\n",
            diagnostic.code.name(),
            escape(risk)
        ));
    }
    out
}

/// Longer stretches are not shown: a renderer lays out all that it is given, and no screen holds it.
const MAX_SHOWN: usize = 8 << 10;

/// Lines of a text with their unsafe characters escaped, and the way from its old offsets to the new ones.
struct Escaped {
    text: String,
    /// The number of the first line, and where it starts in the old text.
    first: usize,
    start: usize,
    /// Where an escaped character stood, and how many bytes the text has grown by behind it.
    grown: Vec<(usize, usize)>,
}

impl Escaped {
    /// Accepts the lines that hold `spans`, or gives `None` where they are too long.
    ///
    /// What is shown is the escaped text, so the spans of a snippet must be those in it.
    fn of(source: &[u8], spans: &[&Range<usize>]) -> Option<Self> {
        let first = spans.iter().map(|span| span.start).min()?.min(source.len());
        let last = spans.iter().map(|span| span.end).max()?.clamp(first, source.len());
        let start = source[..first].iter().rposition(|&b| b == b'\n').map_or(0, |n| n + 1);
        let end = source[last..].iter().position(|&b| b == b'\n').map_or(source.len(), |n| last + n + 1);
        if end - start > MAX_SHOWN {
            return None;
        }
        let number = 1 + source[..start].iter().filter(|&&b| b == b'\n').count();
        Some(Self::new(&String::from_utf8_lossy(&source[start..end]), number, start))
    }

    fn new(shown: &str, first: usize, start: usize) -> Self {
        let (mut text, mut grown, mut total) = (String::with_capacity(shown.len()), Vec::new(), 0);
        for (at, c) in shown.char_indices() {
            // A CR before a line feed is a line end like others.
            if !crate::output::is_unsafe(c) || (c == '\r' && shown[at + 1..].starts_with('\n')) {
                text.push(c);
                continue;
            }
            let written = format!("\\u{{{:x}}}", u32::from(c));
            total += written.len() - c.len_utf8();
            text.push_str(&written);
            grown.push((at, total));
        }
        Self { text, first, start, grown }
    }

    fn offset(&self, old: usize) -> usize {
        let old = old.saturating_sub(self.start);
        let behind = self.grown.partition_point(|(at, _)| *at < old);
        let new = old + behind.checked_sub(1).map_or(0, |last| self.grown[last].1);
        let mut new = new.min(self.text.len());
        while !self.text.is_char_boundary(new) {
            new -= 1;
        }
        new
    }

    fn range(&self, range: Range<usize>) -> Range<usize> {
        self.offset(range.start)..self.offset(range.end)
    }

    fn span(&self, place: &Location) -> Range<usize> {
        self.range(place.span.clone())
    }
}
