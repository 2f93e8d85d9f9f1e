//! Where output goes.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use live::{Environment, Scrubber};
use model::yaml::is_ascii_text;
use ops::output::{OutputFile, Readers};
use ops::{Error, FilesState, Outcome};

use super::bar::Bar;
use super::escape::escape_message;
use super::style;
use crate::exit::sentence;

/// When to colour the output: on a terminal that wants it, everywhere, or nowhere.
///
/// What is said of a single value here is shown in the help of every command, which then takes the long form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Where output goes: results to standard output, everything else to standard error.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    choice: ColorChoice,
    pub(crate) quiet: bool,
    /// The line that shows how far the run is. It lives as long as the process, so that everybody who may end the run has it.
    pub(crate) bar: &'static Bar,
    /// Whether the command can change files: otherwise it is not said that it changed none.
    can_write: bool,
    /// Whether nothing is written to standard error: whoever runs the program may read both streams as one.
    is_silent: bool,
}

impl Terminal {
    pub(crate) fn new(color: Color, quiet: bool, can_write: bool) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let bar = Box::leak(Box::default());
        Self { choice, quiet, bar, can_write, is_silent: false }
    }

    /// Returns one that writes results, and nothing else.
    pub(crate) fn silent(self) -> Self {
        Self { is_silent: true, ..self }
    }

    /// Writes a result in words.
    pub(crate) fn result(&self, text: &str) -> Result<(), Error> {
        let choice = self.choice_for(&io::stdout());
        self.bytes(&coloured(text, choice))
    }

    /// Writes a result whose bytes are exact.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).or_else(|error| ended(&error))
    }

    /// Writes a file that is there wholly or not at all, and that its owner alone can read.
    pub(crate) fn private_file(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        OutputFile::open(path)?.replace_regular(Readers::Owner, bytes)
    }

    /// Writes a result to a file.
    pub(crate) fn file(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let written = OutputFile::open(path)
            .and_then(|file| file.replace(Readers::ByUmask, |file| file.write_all(bytes)));
        written.map_err(|error| Error { is_of_result: true, ..error })
    }

    /// Writes what is no result: warnings, progress, questions.
    pub(crate) fn note(&self, text: &str) {
        if self.is_silent {
            return;
        }
        let choice = self.choice_for(&io::stderr());
        let write = || {
            let mut err = io::stderr().lock();
            err.write_all(&coloured(text, choice)).and_then(|()| err.flush())
        };
        // There is nowhere left to say that this cannot be said.
        let _ = self.bar.beside(write);
    }

    /// Writes the error that ends the run.
    pub(crate) fn error(&self, error: &Error) {
        let mut text = String::new();
        let (color, bold) = (style::ERROR, style::BOLD);
        // What looks like a secret; those that are known were hidden where they are known.
        let hide = |text: &str| escape_message(&Scrubber::default().hide(text));
        let all: Vec<_> = std::iter::once(error).chain(&error.others).collect();
        for (index, error) in all.iter().enumerate() {
            let _ = writeln!(text, "{color}error{color:#}{bold}: {}{bold:#}", hide(&error.message));
            // One help for several errors comes once, behind the last of them.
            let is_repeated = all.get(index + 1).is_some_and(|next| next.help == error.help);
            if let Some(help) = error.help.as_ref().filter(|_| !is_repeated) {
                let _ = writeln!(text, "  = help: {}", hide(help));
            }
        }
        self.note(&text);
        if error.kind != Outcome::Usage {
            self.state(error.state);
        }
    }

    /// Writes what holds for the files, behind an error, if they could have changed.
    pub(crate) fn state(&self, state: FilesState) {
        if !self.can_write && state == FilesState::NothingChanged {
            return;
        }
        self.note(&format!("  = state: {}\n", sentence(state)));
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

    /// Returns the columns of standard output; `None` if it is not a terminal.
    pub(crate) fn width(&self) -> Option<usize> {
        let out = io::stdout();
        out.is_terminal()
            .then(|| rustix::termios::tcgetwinsize(&out).map_or(80, |size| usize::from(size.ws_col)))
            .filter(|width| *width > 0)
    }

    /// Decides whether a line shows how far the run is: on standard error, if that is a terminal which results leave alone.
    /// `is_free` tells that they go elsewhere even if standard output is a terminal.
    pub(crate) fn may_show_progress(&self, is_free: bool, environment: &Environment) {
        let is_free = is_free || !io::stdout().is_terminal();
        let is_able = || io::stderr().is_terminal() && environment.text("TERM") != Some("dumb");
        self.bar.want(is_free && !self.quiet && !self.is_silent && is_able());
    }

    /// Returns whether somebody is there who could answer.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    pub(super) fn choice_for(&self, stream: &dyn IsTerminalStream) -> ColorChoice {
        match self.choice {
            ColorChoice::Auto => stream.choice(),
            chosen => chosen,
        }
    }
}

/// Removes the colours from a text.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Removes the colours from a text where none are wanted.
pub(super) fn coloured(text: &str, choice: ColorChoice) -> Vec<u8> {
    match choice {
        // Most results have no colours; and then nothing is removed.
        ColorChoice::Never if !is_ascii_text(text.as_bytes()) => {
            anstream::adapter::strip_str(text).to_string().into_bytes()
        }
        _ => text.as_bytes().to_vec(),
    }
}

/// Decides on colours by what the stream is, `NO_COLOR`, `CLICOLOR_FORCE` and `TERM`.
pub(super) trait IsTerminalStream {
    fn choice(&self) -> ColorChoice;
}

impl<S: anstream::stream::RawStream> IsTerminalStream for S {
    fn choice(&self) -> ColorChoice {
        AutoStream::choice(self)
    }
}

/// A reader that has gone is no error of ours; a full disk is.
pub(super) fn ended(error: &io::Error) -> Result<(), Error> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Error::of_result("standard output: cannot write to it", error))
}
