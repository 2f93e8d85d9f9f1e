//! The one layer between this program and whoever reads what it says.
//!
//! Everything printed passes [`escape()`], but for patches, whose bytes must be exact and are checked
//! instead. What others said, the programs that are run and the server, passes [`secrets::hide`] before.

pub(crate) mod audit;
pub(crate) mod audit_json;
pub(crate) mod diagnostics;
mod escape;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod panic;
pub(crate) mod patch;
mod private;
pub(crate) mod report;
pub(crate) mod review;
pub(crate) mod secrets;
pub(crate) mod stream;
pub(crate) mod words;

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use model::Diagnostic;

pub(crate) use self::escape::{escape, escape_bytes, escape_json, escape_lines, escape_message, is_unsafe};
use crate::args::Color;
use crate::exit::{Exit, Failure};

/// Where output goes: results to standard output, everything else to standard error.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    choice: ColorChoice,
    pub(crate) quiet: bool,
}

/// The colours of this program, by meaning.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const ADDED: Style = AnsiColor::Green.on_default();
    pub(crate) const REMOVED: Style = AnsiColor::Red.on_default();
    pub(crate) const CHANGED: Style = AnsiColor::Yellow.on_default();
    pub(crate) const HUNK: Style = AnsiColor::Cyan.on_default();
    pub(crate) const DIM: Style = Style::new().dimmed();
    pub(crate) const BOLD: Style = Style::new().bold();
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
}

impl Terminal {
    pub(crate) fn new(color: Color, quiet: bool) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { choice, quiet }
    }

    /// Writes a result in words.
    pub(crate) fn result(&self, text: &str) -> Result<(), Failure> {
        let choice = self.choice_for(&io::stdout());
        self.bytes(&coloured(&secrets::known(text), choice))
    }

    /// Writes a result whose bytes are exact.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).or_else(|error| ended(&error))
    }

    /// Writes a result in words to a file.
    pub(crate) fn text_file(&self, path: &Path, text: &str) -> Result<(), Failure> {
        self.file(path, &coloured(text, ColorChoice::Never))
    }

    /// Writes a file that is there wholly or not at all, and that its owner alone can read.
    pub(crate) fn private_file(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        private::write(path, bytes)
    }

    /// Writes a result to a file.
    pub(crate) fn file(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        std::fs::write(path, bytes).map_err(|error| {
            let reason = commit::reason(&error);
            Failure::new(Exit::Error, format!("{}: can not write the file: {reason}", path.display()))
        })
    }

    /// Writes what is no result: warnings, progress, questions.
    pub(crate) fn note(&self, text: &str) {
        let choice = self.choice_for(&io::stderr());
        let mut err = io::stderr().lock();
        // There is nowhere left to say that this can not be said.
        let _ = err.write_all(&coloured(&secrets::known(text), choice)).and_then(|()| err.flush());
    }

    /// Writes the error that ends the run.
    pub(crate) fn failure(&self, failure: &Failure) {
        let mut text = String::new();
        let (error, bold) = (style::ERROR, style::BOLD);
        for failure in std::iter::once(failure).chain(&failure.others) {
            let message = escape_message(&secrets::hide(&failure.message));
            let _ = writeln!(text, "{error}error{error:#}{bold}: {message}{bold:#}");
            if let Some(help) = &failure.help {
                let _ = writeln!(text, "  = help: {}", escape_message(&secrets::hide(help)));
            }
        }
        self.note(&text);
        self.state(failure.state);
    }

    /// Writes what holds for the files, behind an error; one of [`crate::exit::state`].
    pub(crate) fn state(&self, state: &'static str) {
        self.note(&format!("  = state: {state}\n"));
    }

    /// Writes what somebody should know, and what to do about it.
    pub(crate) fn warning(&self, message: &str, help: Option<&str>) {
        if self.quiet {
            return;
        }
        let (color, bold) = (style::WARNING, style::BOLD);
        let mut text = format!("{color}warning{color:#}{bold}: {}{bold:#}\n", escape_message(message));
        if let Some(help) = help {
            let _ = writeln!(text, "  = help: {}", escape_message(help));
        }
        self.note(&text);
    }

    /// Tells whether somebody is there who could answer.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn choice_for(&self, stream: &dyn IsTerminalStream) -> ColorChoice {
        match self.choice {
            ColorChoice::Auto => stream.choice(),
            chosen => chosen,
        }
    }
}

/// Takes the colours out of a text.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Renders findings in observed files; one cause in several files is one.
pub(crate) fn listed(findings: &[Diagnostic], errors_only: bool) -> Vec<String> {
    let mut shown: Vec<&Diagnostic> = Vec::new();
    for finding in findings {
        let same = |other: &&Diagnostic| (other.code, &other.message) == (finding.code, &finding.message);
        let is_wanted = !errors_only || finding.is_error();
        if is_wanted && !shown.iter().any(same) {
            shown.push(finding);
        }
    }
    let places = |finding: &Diagnostic| -> Vec<_> {
        let same = findings.iter().filter(|o| (o.code, &o.message) == (finding.code, &finding.message));
        same.filter_map(|other| other.place.as_ref()).collect()
    };
    shown.into_iter().map(|finding| diagnostics::without_source(finding, &places(finding))).collect()
}

/// Takes the colours out of a text where none are wanted.
fn coloured(text: &str, choice: ColorChoice) -> Vec<u8> {
    match choice {
        ColorChoice::Never => anstream::adapter::strip_str(text).to_string().into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}

/// Decides on colours by what the stream is, `NO_COLOR`, `CLICOLOR_FORCE` and `TERM`.
trait IsTerminalStream {
    fn choice(&self) -> ColorChoice;
}

impl<S: anstream::stream::RawStream> IsTerminalStream for S {
    fn choice(&self) -> ColorChoice {
        AutoStream::choice(self)
    }
}

/// A reader that has gone is no error of ours; a full disk is.
fn ended(error: &io::Error) -> Result<(), Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failure::new(Exit::Error, format!("standard output: can not write to it: {}", commit::reason(error))))
}

/// Writes a path so that a shell reads it as one word, for commands that help texts offer.
pub(crate) fn quoted(path: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@:,".contains(&b);
    // One that begins with a dash would be an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_string() };
    if !path.is_empty() && path.bytes().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
