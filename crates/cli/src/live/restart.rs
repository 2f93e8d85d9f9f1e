//! What follows an apply, step by step: each is written down before it begins, so that whoever comes after a
//! crash goes on there.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use commit::{Change, Lock, Options, Root};

use crate::disk::LIMIT;
use crate::exit::{Exit, Failure, state};
use crate::interrupt;
use crate::live::child::{self, ChildError, Job, seconds};
use crate::live::docker::Docker;
use crate::live::follow::{FollowUp, Step};
use crate::live::gather::reach;
use crate::live::program;
use crate::live::session::{Statement, Unreachable, Way};
use crate::output::{Terminal, escape, secrets};
use crate::recovery;

/// How much of a child's output is shown, and how long one line of it may be.
const SHOWN: usize = 64 << 10;
const LINE: usize = 2 << 10;

/// So often Docker may have started the container anew before there is no hope.
const RESTARTS: u64 = 5;

/// Who does what follows.
pub(crate) struct Follower<'a> {
    pub(crate) lock: &'a Lock<'a>,
    pub(crate) root: &'a Root,
    pub(crate) terminal: &'a Terminal,
}

/// Gives what an earlier run has left to be done.
///
/// # Errors
/// It can not be read.
pub(crate) fn pending(root: &Root) -> Result<Option<FollowUp>, Failure> {
    let bytes = root.follow_up().map_err(|error| recovery::refused(&error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    FollowUp::decode(&bytes).map(Some).ok_or_else(|| {
        let message = format!(
            "{}: what is to follow the last apply can not be read",
            root.path().join(".kasm-db/follow-up").display()
        );
        Failure::new(Exit::Error, message)
            .help("stop and start the deployment by hand, remove this file, and run `kasm-db apply` again")
    })
}

impl Follower<'_> {
    /// Goes through the steps, from the one that is next.
    ///
    /// # Errors
    /// A step failed: it stays the next one. Where the record says so, the files went back, and the server was
    /// started on them.
    pub(crate) fn run(&self, mut record: FollowUp) -> Result<(), Failure> {
        loop {
            interrupt::next(Some(record.step.name()));
            let failed = match record.step {
                Step::Stop => self.command("stop", &record.stop, record.timeout),
                Step::Start => self.command("start", &record.start, record.timeout),
                Step::Healthy => self.healthy(&record),
                Step::Reload => self.reload(&record),
                Step::Extension => self.extensions(&record),
            };
            if let Err(failed) = failed {
                let comes_up = matches!(record.step, Step::Stop | Step::Start | Step::Healthy);
                return Err(match record.back_to {
                    Some(number) if comes_up && failed.exit != Exit::Interrupted => {
                        self.go_back(record, number, &failed)
                    }
                    _ => failed,
                });
            }
            let Some(next) = record.step.next() else {
                self.lock.clear_follow_up().map_err(|error| unfinished(error.to_string()))?;
                interrupt::next(None);
                return Ok(());
            };
            record.step = next;
            self.lock.set_follow_up(&record.encode()).map_err(|error| unfinished(error.to_string()))?;
            interrupt::next(Some(next.name()));
            interrupt::check()?;
        }
    }

    /// Runs `stop` or `start`; its output goes to standard error, line by line.
    fn command(&self, what: &str, argv: &[String], timeout: Duration) -> Result<(), Failure> {
        let shown = argv.join(" ");
        let program = program_of(argv, self.root)?;
        self.terminal.note(&format!("{what}: {}\n", escape(&shown)));
        // A signal waits: the command would go on by itself, with nobody to go on after it.
        let commanding = interrupt::commanding(&shown);
        let job = Job {
            program: &program,
            arguments: argv[1..].to_vec(),
            input: String::new(),
            timeout,
            limit: 4 << 10,
            commanding: Some(&commanding),
        };
        let mut lines = Lines { terminal: self.terminal, left: SHOWN, part: Vec::new() };
        let ended = child::run(&job, &mut |piece| lines.take(piece));
        lines.end();
        drop(commanding);
        let interrupted = interrupt::check().err();
        let unfinished = |message: String| match &interrupted {
            None => unfinished(message),
            Some(signal) => Failure { message: format!("{}; {message}", signal.message), ..signal.clone() },
        };
        let help = |failure: Failure, more: &str| {
            if failure.exit == Exit::Interrupted {
                return failure;
            }
            failure.help(format!(
                "mend the command, and run `kasm-db apply` or `kasm-db recover`, which go on with it{more}"
            ))
        };
        match ended {
            // Where a signal came it ends the run behind the record of the next step.
            Ok(ended) if ended.status.success() => Ok(()),
            Ok(ended) => {
                let words = ended.last_words();
                let said = if words.is_empty() { String::new() } else { format!(": {words}") };
                Err(help(unfinished(format!("`{shown}` {}{said}", ended.how())), ""))
            }
            Err(error @ ChildError::Start { .. }) => Err(help(unfinished(error.to_string()), "")),
            Err(ChildError::Timeout { .. }) if interrupted.is_some() => {
                let patience = seconds(&interrupt::PATIENCE);
                Err(unfinished(format!("`{shown}` did not end within {patience} after it, and was ended")))
            }
            Err(ChildError::Timeout { after, .. }) => {
                let message = format!("`{shown}` did not end within {}, and was ended", seconds(&after));
                Err(help(unfinished(message), "; `restart: {timeout: …}` gives it more time"))
            }
        }
    }

    /// Waits until the server answers.
    fn healthy(&self, record: &FollowUp) -> Result<(), Failure> {
        if record.connect == model::document::Connect::None {
            self.terminal
                .note("The document says `verify: {connect: none}`: nobody looks whether it came up.\n");
            return Ok(());
        }
        let (started, mut said) = (Instant::now(), Instant::now());
        let limit = seconds(&record.timeout);
        self.terminal.note(&format!("waiting for the database, at most {limit}\n"));
        loop {
            let why = match self.answers(record) {
                Ok(()) => {
                    let after = started.elapsed().as_secs_f32();
                    self.terminal.note(&format!("the database answers, after {after:.1} seconds\n"));
                    return Ok(());
                }
                Err(why) => why,
            };
            let hopeless = self.is_hopeless(record);
            if started.elapsed() > record.timeout || hopeless.is_some() {
                let why = hopeless.unwrap_or(why);
                let after = seconds(&started.elapsed());
                let message = format!("the database did not come up, {after} after its start: {}", why.why);
                return Err(unfinished(message).help(format!(
                    "{}; then run `kasm-db apply` or `kasm-db recover`, which go on here, or put the old files \
                     back with `kasm-db rollback`",
                    why.fix
                )));
            }
            if said.elapsed() > Duration::from_secs(10) {
                let (time, why) = (seconds(&started.elapsed()), escape(&why.why));
                self.terminal.note(&format!("still waiting after {time}: {why}\n"));
                said = Instant::now();
            }
            sleep(Duration::from_millis(300));
        }
    }

    fn way(&self, record: &FollowUp) -> Result<Way, Unreachable> {
        reach(&record.verify(), record.sslmode).1
    }

    fn answers(&self, record: &FollowUp) -> Result<(), Unreachable> {
        self.way(record)?.run(None, &[Statement::new("SELECT 'r', 1", 1)]).map(|_| ())
    }

    /// Tells why waiting is of no use where Docker has started the container again and again.
    fn is_hopeless(&self, record: &FollowUp) -> Option<Unreachable> {
        if record.connect != model::document::Connect::Docker {
            return None;
        }
        let docker = Docker::find().ok()?;
        let container = docker.inspect(&record.container).ok()?;
        (container.restarts >= RESTARTS).then(|| docker.not_running(&container))
    }

    fn reload(&self, record: &FollowUp) -> Result<(), Failure> {
        self.terminal.note("reload: SELECT pg_reload_conf();\n");
        let failed = |unreachable: Unreachable| {
            let fix = unreachable.fix;
            unfinished(format!("the server could not be told to read its files again: {}", unreachable.why))
                .help(format!("{fix}; then run `kasm-db apply` or `kasm-db recover`, which go on here"))
        };
        let reload = [Statement::new("SELECT 'r', pg_catalog.pg_reload_conf()::text", 1)];
        let answers = self.way(record).and_then(|way| way.run(None, &reload)).map_err(failed)?;
        match answers.into_iter().next() {
            Some(Err(why)) => Err(failed(Unreachable::new(why, "let a superuser do it"))),
            _ => Ok(()),
        }
    }

    fn extensions(&self, record: &FollowUp) -> Result<(), Failure> {
        if record.connect == model::document::Connect::None {
            return Ok(());
        }
        for database in &record.extensions {
            let made = self.way(record).and_then(|way| create_extension(&way, database));
            made.map_err(|unreachable| {
                unfinished(unreachable.why).help(format!(
                    "{}; then run `kasm-db apply` or `kasm-db recover`, which go on here",
                    unreachable.fix
                ))
            })?;
        }
        Ok(())
    }

    /// Puts the files of before back and starts the server on them.
    fn go_back(&self, record: FollowUp, number: u64, failed: &Failure) -> Failure {
        let also = |why: String| {
            let message = format!("{}; the old files could not be put back: {why}", failed.message);
            unfinished(message)
                .help("put them back with `kasm-db rollback`, and stop and start the deployment")
        };
        self.terminal.note("It does not come up: putting the old files back.\n");
        let back = match self.root.way_back(number, LIMIT) {
            Ok(back) => back,
            Err(error) => return also(error.to_string()),
        };
        if let Some(edited) = back.iter().find(|back| back.edited) {
            return also(format!("{} was changed since", edited.change.path.display()));
        }
        let changes: Vec<Change> = back.into_iter().map(|back| back.change).collect();
        let record = FollowUp { step: Step::Stop, back_to: None, extensions: Vec::new(), ..record };
        let options = Options {
            tool: concat!("kasm-db ", env!("CARGO_PKG_VERSION")).into(),
            what: "rollback".into(),
            follow_up: Some(record.encode()),
            ..Options::default()
        };
        let writing = interrupt::writing();
        let committed = self.lock.commit_with(&changes, &options);
        let interrupted = writing.end(true);
        if let Err(error) = committed {
            return also(error.cause.to_string());
        }
        if let Err(interrupted) = interrupted {
            return interrupted;
        }
        let message = match self.run(record) {
            Ok(()) => format!("{}; the database runs again on the old files", failed.message),
            Err(second) if second.exit == Exit::Interrupted => return second,
            Err(second) => {
                format!("{}; nor does it come up on the old files: {}", failed.message, second.message)
            }
        };
        Failure::new(Exit::RolledBack, message)
            .help("see the container's log for the reason, correct the document, and apply again")
            .state(state::ROLLED_BACK)
    }
}

/// Makes the extension where it is missing.
fn create_extension(way: &Way, database: &str) -> Result<(), Unreachable> {
    // A session that may not write may not do this either, also where there is nothing to do.
    let is_there =
        Statement::new("SELECT 'r', extname FROM pg_catalog.pg_extension WHERE extname = 'pgaudit'", 1);
    let is_there = way.run(Some(database), &[is_there])?.into_iter().next();
    if matches!(is_there, Some(Ok(rows)) if !rows.is_empty()) {
        return Ok(());
    }
    // Its functions go where the database's own objects do.
    let create = [
        Statement::new("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", 0),
        Statement::new("CREATE EXTENSION IF NOT EXISTS pgaudit", 0),
    ];
    let answers = way.run_behind(Some(database), &create, &[])?;
    match answers.into_iter().last() {
        Some(Err(why)) if why.contains("read-only transaction") => Err(Unreachable::new(
            format!("the extension pgaudit can not be created in the database {database}: {why}"),
            "create it on the primary, from which a standby gets it",
        )),
        Some(Err(why)) => Err(Unreachable::new(
            format!("the extension pgaudit can not be created in the database {database}: {why}"),
            "mend what the server says",
        )),
        _ => Ok(()),
    }
}

/// Finds the program of a command: a path, from the target's folder where it is relative, or a name in `PATH`.
///
/// # Errors
/// It is not there, or everybody can replace it.
pub(crate) fn program_of(argv: &[String], root: &Root) -> Result<PathBuf, Failure> {
    let Some(name) = argv.first() else {
        return Err(Failure::new(Exit::Error, "an empty command"));
    };
    let found = match name.contains('/') {
        true => program::check(root.path().join(Path::new(name))),
        false => program::find(name),
    };
    found.map_err(|error| {
        Failure::new(Exit::Error, error.to_string())
            .help("name the commands that stop and start the database in `restart: {stop: […], start: […]}`")
    })
}

/// The error of a step: the files are there, what follows is not done.
fn unfinished(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Unfinished, message).state(state::NOT_RESTARTED)
}

/// Shows a child's output line by line: escaped, and no more of it than somebody would read.
struct Lines<'a> {
    terminal: &'a Terminal,
    left: usize,
    part: Vec<u8>,
}

impl Lines<'_> {
    fn take(&mut self, piece: &[u8]) {
        if self.left == 0 {
            return;
        }
        for chunk in piece.split_inclusive(|&byte| byte == b'\n') {
            // Of a secret that only begins within what is shown, nothing may be.
            let room = (LINE + secrets::longest()).saturating_sub(self.part.len());
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
        let mut text = secrets::hide(&String::from_utf8_lossy(line.trim_ascii_end()));
        if text.len() > LINE {
            text.truncate(text.floor_char_boundary(LINE));
        }
        let text = escape(&text);
        self.terminal.note(&format!("  | {text}\n"));
        self.left = self.left.saturating_sub(line.len().max(1));
        if self.left == 0 {
            self.terminal.note("  | … the rest of the output is not shown\n");
        }
    }

    fn end(&mut self) {
        if !self.part.is_empty() {
            self.line();
        }
    }
}
