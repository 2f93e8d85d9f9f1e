//! The commands that stop and start the database.

use std::path::Path;

use commit::Root;
use live::child::{self, ChildError, Job, seconds};
use live::program::{NotFound, Program};
use live::{Environment, Watch as _, program};

use crate::context::Context;
use crate::error::Error;
use crate::follow_up::{FollowUp, Step};
use crate::observer::Event;
use crate::outcome::Outcome;
use crate::path::quoted;
use crate::progress::PATIENCE;
use crate::trust::{self, Trust};

/// How much of a child's output is shown, and how long one line of it may be.
const SHOWN: usize = 64 << 10;
const LINE: usize = 2 << 10;

/// Runs the command of a step, `stop` or `start`; its output is told line by line.
pub(super) fn run(
    step: Step,
    follow_up: &FollowUp,
    root: &Root,
    trust: &Trust,
    context: &Context<'_>,
) -> Result<(), Error> {
    let (argv, timeout, key) = match step {
        Step::Stop => (&follow_up.stop, follow_up.stop_timeout, "stop_timeout"),
        _ => (&follow_up.start, follow_up.timeout, "timeout"),
    };
    let shown = argv.join(" ");
    let program = program_of(argv, root, trust, &context.environment).map_err(Error::not_done)?;
    context.tell(Event::Command(step.name(), &shown))?;
    // A signal waits: the command would continue by itself, and nothing would follow it.
    let commanding = context.progress.commanding(&context.scrubber().known(&shown));
    let job = Job {
        program: &program,
        arguments: argv[1..].to_vec(),
        input: String::new(),
        environment: &context.environment,
        timeout,
        limit: 4 << 10,
        commanding: Some(&*commanding),
    };
    let mut lines = Lines { context, left: SHOWN, part: Vec::new(), told: Ok(()) };
    let ended = child::run(&job, &mut |piece| lines.take(piece));
    let told = lines.end();
    drop(commanding);
    let interrupted = context.progress.interrupted().err();
    let unfinished = |message: String| match &interrupted {
        None => Error::not_followed(message),
        Some(signal) => Error { message: format!("{}; {message}", signal.message), ..signal.clone() },
    };
    let help = |error: Error, more: &str| {
        if error.kind == Outcome::Interrupted {
            return error;
        }
        error.help(format!(
            "fix the command, and run `kasm-db apply` or `kasm-db recover`, which continue with it{more}"
        ))
    };
    match ended {
        // Where a signal came it ends the run behind the record of the next step.
        Ok(ended) if ended.status.success() => told,
        Ok(ended) => {
            let words = context.scrubber().shown(&ended.last_words());
            let said = if words.is_empty() { String::new() } else { format!(": {words}") };
            Err(help(unfinished(format!("`{shown}` {}{said}", ended.how())), ""))
        }
        Err(error @ ChildError::Start { .. }) => Err(help(unfinished(error.to_string()), "")),
        Err(ChildError::Timeout { .. }) if interrupted.is_some() => {
            let patience = seconds(&PATIENCE);
            Err(unfinished(format!("`{shown}` did not end within {patience} after it, and was ended")))
        }
        Err(ChildError::Timeout { after, .. }) => {
            let message = format!("`{shown}` did not end within {}, and was ended", seconds(&after));
            let more = format!(
                "; to give it more time, set `restart: {{{key}: …}}` in the document and run `kasm-db apply`"
            );
            Err(help(unfinished(message), &more))
        }
    }
}

/// Finds the program of a command: a path, from the target's folder where it is relative, or a name in `PATH`.
///
/// # Errors
/// It is not there, or somebody else could replace it.
pub(crate) fn program_of(
    argv: &[String],
    root: &Root,
    trust: &Trust,
    environment: &Environment,
) -> Result<Program, Error> {
    let Some(name) = argv.first() else {
        return Err(Error::failed("an empty command"));
    };
    let found = match name.contains('/') {
        true => program::check(root.path().join(Path::new(name)), &|uid| trust.is_trusted(uid)),
        false => program::find(name, environment),
    };
    found.map_err(|error| {
        let help = match &error {
            NotFound::Missing(_) | NotFound::NoProgram(_) => {
                "name the commands that stop and start the database in `restart: {stop: […], start: […]}`"
                    .into()
            }
            NotFound::NoInterpreter { path, .. } => {
                format!("install it, or correct the first line of {}", quoted(path))
            }
            NotFound::Open { path, .. } => format!("run `chmod go-w {}`", quoted(path)),
            NotFound::Foreign { uid, .. } => {
                format!("{}; `--allow foreign-owner` allows it once", trust::help(*uid))
            }
        };
        Error::failed(error.to_string()).help(help)
    })
}

/// Reports a child's output line by line, without its secrets, and no more of it than somebody would read.
struct Lines<'a> {
    context: &'a Context<'a>,
    left: usize,
    part: Vec<u8>,
    told: Result<(), Error>,
}

impl Lines<'_> {
    fn take(&mut self, piece: &[u8]) {
        if self.left == 0 {
            return;
        }
        for chunk in piece.split_inclusive(|&byte| byte == b'\n') {
            // Of a secret that only begins within what is shown, nothing may be.
            let room = (LINE + self.context.scrubber().longest()).saturating_sub(self.part.len());
            self.part.extend(&chunk[..chunk.len().min(room)]);
            if chunk.ends_with(b"\n") {
                self.line();
            }
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.part);
        if self.left == 0 {
            return;
        }
        let mut text = self.context.scrubber().hide(&String::from_utf8_lossy(line.trim_ascii_end()));
        if text.len() > LINE {
            text.truncate(text.floor_char_boundary(LINE));
        }
        self.tell(Event::Said(&text));
        self.left = self.left.saturating_sub(line.len().max(1));
        if self.left == 0 {
            self.tell(Event::SaidMore);
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        if self.told.is_ok() {
            self.told = self.context.tell(event);
        }
    }

    fn end(mut self) -> Result<(), Error> {
        if !self.part.is_empty() {
            self.line();
        }
        self.told
    }
}
