//! Child processes: no shell, an environment of their own, a time limit, and bounded output.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::environment::Environment;
use crate::io_error::reason;
use crate::program::{self, Program};
use crate::scrub::Said;
use crate::watch::Commanding;

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How long output may still come when the child has ended. What it left running may hold its streams open
/// for ever.
const LINGER: Duration = Duration::from_millis(300);

/// How many characters of its last line are shown.
const LAST_LINE: usize = 500;

/// What to run.
pub struct Job<'a> {
    /// The program, as `program::find` gives it.
    pub program: &'a Program,
    /// The arguments, without the program's name.
    pub arguments: Vec<String>,
    /// What it reads; nothing if this is empty.
    pub input: String,
    /// The environment of the caller, of which it gets a part.
    pub environment: &'a Environment,
    /// How long it may run.
    pub timeout: Duration,
    /// How many bytes of each stream are kept: the last ones of standard error, the first of standard output.
    pub limit: usize,
    /// Who watches over it, if a signal has to wait for its end.
    pub commanding: Option<&'a dyn Commanding>,
}

/// How a child ended.
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Whether it wrote more to standard output than was kept.
    pub(crate) cut: bool,
    /// Whether it wrote more to standard error than was kept.
    pub(crate) cut_before: bool,
    /// Whether it was ended because it wrote more than was kept.
    pub(crate) stopped: bool,
}

impl Ended {
    /// Returns how it ended: `ended with 1`, `was ended by signal 9`.
    pub fn how(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("ended with {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".into(),
        }
    }

    /// Returns the last line of standard error, or of standard output, that says something.
    pub fn last_words(&self) -> Said {
        // A line that is not all there may begin or end within a secret.
        let is_end = |byte: &u8| *byte == b'\n';
        let stdout = match (self.cut, self.stdout.iter().rposition(is_end)) {
            (true, end) => &self.stdout[..end.unwrap_or(0)],
            (false, _) => &self.stdout,
        };
        let stderr = match (self.cut_before, self.stderr.iter().position(is_end)) {
            (true, end) => &self.stderr[end.unwrap_or(self.stderr.len())..],
            (false, _) => &self.stderr,
        };
        let last = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(String::from)
        };
        Said::new(last(stderr).or_else(|| last(stdout)).unwrap_or_default(), LAST_LINE)
    }
}

/// Shows nothing of the output.
impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why a child gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It cannot be started.
    #[error("{program} does not run: {why}")]
    Start {
        /// Its path.
        program: String,
        /// What the operating system said.
        why: String,
    },
    /// It took too long, and its process group was ended.
    #[error("{program} did not end within {}", seconds(.after))]
    Timeout {
        /// Its path.
        program: String,
        /// The time that it had.
        after: Duration,
    },
}

/// Returns how long, in words.
pub fn seconds(duration: &Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1 => "1 second".into(),
        n => format!("{n} seconds"),
    }
}

/// A chunk of output: from standard error or not.
type Chunk = (bool, Vec<u8>);

/// Runs a child to its end. Its output goes to `watch` as it comes, in chunks.
///
/// What it leaves running may keep writing to its output, also after this process has ended: somebody reads it as long as
/// there is a writer.
///
/// # Errors
/// It cannot be started; or it does not end in time: then its whole process group is ended.
pub fn run(job: &Job<'_>, watch: &mut dyn FnMut(&[u8])) -> Result<Ended, ChildError> {
    let mut streams = Vec::new();
    let ended = run_until(job, watch, &|_| false, &mut streams);
    streams.into_iter().filter(Stream::is_open).for_each(|stream| stream.drain(job.environment));
    ended
}

/// Runs a child whose whole output is wanted: one that writes more than is kept is ended then.
///
/// # Errors
/// As for [`run`].
pub(crate) fn answer(job: &Job<'_>) -> Result<Ended, ChildError> {
    run_until(job, &mut |_| {}, &|kept| kept.cut || kept.cut_before, &mut Vec::new())
}

/// Runs a child whose standard output is too long to keep: `read` gets it as a stream, and returns whether it wants the rest,
/// of which nothing is kept. A child whose output nobody wants any more is ended, and so is one that takes too long.
///
/// # Errors
/// It cannot be started, or does not end in time.
pub(crate) fn stream(
    job: &Job<'_>,
    read: &mut dyn FnMut(&mut dyn Read) -> bool,
) -> Result<Ended, ChildError> {
    let mut child = spawn(job, Stdio::null())?;
    let chunks = forward_both(&mut child, job, &mut Vec::new())?;
    let kept = Kept::new(job.limit);
    let mut output = Output { chunks, kept, chunk: Vec::new(), at: 0, until: Instant::now() + job.timeout };
    if read(&mut output) {
        // A child that cannot write its last bytes fails.
        let _ = std::io::copy(&mut output, &mut std::io::sink());
    }
    let mut kept = output.kept;
    let left = output.until.saturating_duration_since(Instant::now());
    let chunks = output.chunks;
    let late = Job { timeout: left.max(GRACE), arguments: Vec::new(), input: String::new(), ..*job };
    // More of its output comes only if nobody wants it.
    let status = wait(&mut child, &chunks, &late, &mut |chunk| {
        kept.take(chunk);
        !chunk.0
    });
    let (status, stopped) = status.ok_or_else(|| late_of(job))?;
    let Kept { stdout, stderr, cut, cut_before, .. } = kept;
    Ok(Ended { status, stopped, stdout, stderr, cut, cut_before })
}

/// The standard output of a child, as a stream; what it says on standard error is kept meanwhile.
struct Output {
    chunks: Receiver<Chunk>,
    kept: Kept,
    chunk: Vec<u8>,
    at: usize,
    until: Instant,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.chunk.len() {
            let left = self.until.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok((false, chunk)) => (self.chunk, self.at) = (chunk, 0),
                Ok(said) => self.kept.take(&said),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::TimedOut.into()),
            }
        }
        let read = (&self.chunk[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

/// One of the output streams of a child: the end that is read.
struct Stream {
    end: OwnedFd,
    /// Whether every writer has closed it.
    is_over: Arc<AtomicBool>,
}

impl Stream {
    fn is_open(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Lets a process of its own read the rest: without a reader, a writer is ended by SIGPIPE.
    fn drain(self, environment: &Environment) {
        let Ok(cat) = program::find("cat", environment) else { return };
        let Some(mut command) = cat.command() else { return };
        command.env_clear().current_dir("/").stdin(self.end).stdout(Stdio::null()).stderr(Stdio::null());
        // It ends with the last writer. If it cannot be started, the readers of this process continue until that ends.
        let _ = command.process_group(0).spawn();
    }
}

fn run_until(
    job: &Job<'_>,
    watch: &mut dyn FnMut(&[u8]),
    is_enough: &dyn Fn(&Kept) -> bool,
    streams: &mut Vec<Stream>,
) -> Result<Ended, ChildError> {
    let mut child = spawn(job, if job.input.is_empty() { Stdio::null() } else { Stdio::piped() })?;
    if let Some(commanding) = job.commanding {
        commanding.started(child.id());
    }
    if let Some(mut stdin) = child.stdin.take() {
        let input = job.input.clone().into_bytes();
        // Beside the readers: a child that writes before it has read everything must not wait for ever.
        let write = move || {
            // Who ends early need not have read everything; how it ended tells.
            let _ = stdin.write_all(&input);
        };
        Builder::new().spawn(write).map_err(|error| not_read(&mut child, job, &error))?;
    }
    let chunks = forward_both(&mut child, job, streams)?;
    let mut kept = Kept::new(job.limit);
    let status = wait(&mut child, &chunks, job, &mut |chunk| {
        watch(&chunk.1);
        kept.take(chunk);
        is_enough(&kept)
    });
    match status {
        Some((status, stopped)) => Ok(Ended {
            status,
            stopped,
            stdout: kept.stdout,
            stderr: kept.stderr,
            cut: kept.cut,
            cut_before: kept.cut_before,
        }),
        None => Err(late_of(job)),
    }
}

/// Ends a child for which no thread could be started: nobody would read what it says.
fn not_read(child: &mut Child, job: &Job<'_>, error: &std::io::Error) -> ChildError {
    end(child);
    let _ = child.wait();
    if let Some(commanding) = job.commanding {
        commanding.ended();
    }
    let why = format!("cannot start a thread: {}", reason(error));
    ChildError::Start { program: job.program.path().display().to_string(), why }
}

/// Starts a child with pipes for its output.
fn spawn(job: &Job<'_>, stdin: Stdio) -> Result<Child, ChildError> {
    let path = job.program.path();
    let not_started = |why: String| ChildError::Start { program: path.display().to_string(), why };
    let command = job.program.command();
    let mut command = command.ok_or_else(|| not_started("it was replaced after it was checked".into()))?;
    command
        .args(&job.arguments)
        .env_clear()
        .envs(job.environment.of_children())
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it started ends with it.
        .process_group(0);
    command.spawn().map_err(|error| not_started(no_start(path, &error)))
}

fn late_of(job: &Job<'_>) -> ChildError {
    ChildError::Timeout { program: job.program.path().display().to_string(), after: job.timeout }
}

/// Returns why a program that is there does not start: of a script, the system's words are about another file.
fn no_start(program: &Path, error: &std::io::Error) -> String {
    if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) {
        return "it is not a program, and its first line names none (`#!/bin/sh`)".into();
    }
    if error.kind() == ErrorKind::NotFound && program.exists() {
        return "what its first line names is not there; a carriage return at its end is part of the name"
            .into();
    }
    reason(error)
}

/// What is kept of the output.
struct Kept {
    limit: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    cut: bool,
    cut_before: bool,
}

impl Kept {
    fn new(limit: usize) -> Self {
        Self { limit, stdout: Vec::new(), stderr: Vec::new(), cut: false, cut_before: false }
    }

    fn take(&mut self, (is_error, bytes): &Chunk) {
        if *is_error {
            self.stderr.extend(bytes);
            let over = self.stderr.len().saturating_sub(self.limit);
            self.cut_before |= over > 0;
            self.stderr.drain(..over);
        } else {
            let room = self.limit.saturating_sub(self.stdout.len());
            self.cut |= bytes.len() > room;
            self.stdout.extend(&bytes[..bytes.len().min(room)]);
        }
    }
}

/// Reads both streams of a child; adds them to `streams`, for whoever reads on after this process.
fn forward_both(
    child: &mut Child,
    job: &Job<'_>,
    streams: &mut Vec<Stream>,
) -> Result<Receiver<Chunk>, ChildError> {
    let (send, chunks) = sync_channel(16);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let forwarded = || {
        if let Some(stdout) = stdout {
            streams.extend(forward(stdout, false, send.clone())?);
        }
        if let Some(stderr) = stderr {
            streams.extend(forward(stderr, true, send)?);
        }
        Ok(())
    };
    forwarded().map_err(|error| not_read(child, job, &error))?;
    Ok(chunks)
}

/// Reads a stream to its end, also when nobody takes its chunks any more; returns it for whoever reads on after this
/// process.
fn forward(
    mut from: impl Read + AsFd + Send + 'static,
    is_error: bool,
    to: SyncSender<Chunk>,
) -> std::io::Result<Option<Stream>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let stream = from.as_fd().try_clone_to_owned().ok().map(|end| Stream { end, is_over: is_over.clone() });
    Builder::new().spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match from.read(&mut buffer) {
                // Whoever started it may have gone on already.
                Ok(read @ 1..) => drop(to.send((is_error, buffer[..read].to_vec()))),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
        is_over.store(true, Ordering::Relaxed);
    })?;
    Ok(stream)
}

/// Waits for the end of the child and of its output, and ends it if `take` says so; `None` if it took too long and was
/// ended.
fn wait(
    child: &mut Child,
    chunks: &Receiver<Chunk>,
    job: &Job<'_>,
    take: &mut dyn FnMut(&Chunk) -> bool,
) -> Option<(ExitStatus, bool)> {
    let started = Instant::now();
    let is_late = || {
        let until = job.commanding.and_then(Commanding::until);
        started.elapsed() > job.timeout || until.is_some_and(|until| Instant::now() > until)
    };
    let gone = || {
        if let Some(commanding) = job.commanding {
            commanding.ended();
        }
    };
    let mut ended = None;
    loop {
        // What has ended cannot be waited for again, and its number may be another process's.
        if ended.is_none() {
            ended = child.try_wait().ok().flatten().map(|status| (status, Instant::now()));
            if ended.is_some() {
                gone();
            }
        }
        if ended.is_none() && is_late() {
            end(child);
            gone();
            return None;
        }
        if ended.is_some_and(|(_, at)| at.elapsed() > LINGER) {
            break;
        }
        match chunks.recv_timeout(Duration::from_millis(10)) {
            Ok(chunk) if take(&chunk) => {
                let status = match ended {
                    Some((status, _)) => status,
                    None => {
                        let status = end(child)?;
                        gone();
                        status
                    }
                };
                return Some((status, true));
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            // Both streams are closed; only the end itself is still to come.
            Err(RecvTimeoutError::Disconnected) if ended.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(Duration::from_millis(5)),
        }
    }
    ended.map(|(status, _)| (status, false))
}

/// Ends the child and everything in its group: first by asking.
fn end(child: &mut Child) -> Option<ExitStatus> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    // It fails only where the group is gone already.
    let _ = kill_process_group(group, Signal::TERM);
    let asked = Instant::now();
    while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(Duration::from_millis(10));
    }
    let _ = kill_process_group(group, Signal::KILL);
    child.wait().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment::of([("PATH".into(), "/usr/bin:/bin".into())])
    }

    fn program(path: &str) -> Program {
        program::check(path.into(), &|_| true).unwrap()
    }

    fn shell(script: &str, timeout: Duration, limit: usize) -> Result<Ended, ChildError> {
        let arguments = vec!["-c".into(), script.into()];
        let job = Job {
            program: &program("/bin/sh"),
            arguments,
            input: "in\n".into(),
            environment: &environment(),
            timeout,
            limit,
            commanding: None,
        };
        run(&job, &mut |_| {})
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn input_output_and_the_code_of_a_child_come_through() {
        let ended = shell("cat; echo err >&2; exit 3", LONG, 100).unwrap();
        assert_eq!((ended.stdout.as_slice(), ended.stderr.as_slice()), (&b"in\n"[..], &b"err\n"[..]));
        assert_eq!((ended.how().as_str(), ended.last_words()), ("ended with 3", Said::new("err", LAST_LINE)));
        assert_eq!(shell("kill -9 $$", LONG, 1).unwrap().how(), "was ended by signal 9");
    }

    #[test]
    fn endless_output_takes_no_memory_and_a_child_that_hangs_ends_with_its_children() {
        let ended = shell("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2", LONG, 1000).unwrap();
        assert_eq!((ended.stdout.len(), ended.stderr.len(), ended.cut), (1000, 1000, true));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; trap '' TERM; wait; sleep 600", file.display());
        let started = Instant::now();
        let error = shell(&script, Duration::from_millis(300), 10).unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh did not end within 300 ms");
        assert!(started.elapsed() < LONG);
        let pid = std::fs::read_to_string(file).unwrap();
        let left = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(left.is_empty() || left.contains(") Z "), "{left}");
    }

    #[test]
    fn a_child_that_answers_more_than_is_kept_is_ended_at_once() {
        for script in ["exec cat /dev/zero", "exec cat /dev/zero >&2"] {
            let environment = environment();
            let job = Job {
                program: &program("/bin/sh"),
                arguments: vec!["-c".into(), script.into()],
                input: String::new(),
                environment: &environment,
                timeout: LONG,
                limit: 1000,
                commanding: None,
            };
            let started = Instant::now();
            let ended = answer(&job).unwrap();
            assert!(ended.stopped && started.elapsed() < LONG / 2, "{script}");
        }
    }

    #[test]
    fn a_script_that_does_not_start_says_what_is_wrong_with_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("start");
        for (text, why) in [
            ("#!/bin/sh\r\nexit 0\r\n", "what its first line names is not there"),
            ("exit 0\n", "its first line names none"),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            let job = Job {
                program: &program(path.to_str().unwrap()),
                arguments: Vec::new(),
                input: String::new(),
                environment: &environment(),
                timeout: LONG,
                limit: 10,
                commanding: None,
            };
            let error = run(&job, &mut |_| {}).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_a_child_leaves_running_can_write_for_as_long_as_it_wants_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("written");
        // More than a pipe holds, on both streams, after the child has ended.
        let writes = "sleep 1; head -c 300000 /dev/zero && head -c 300000 /dev/zero >&2";
        let script = format!("({writes} && echo all > {}) & exit 0", file.display());
        assert!(shell(&script, LONG, 10).unwrap().status.success());
        let started = Instant::now();
        while !file.exists() && started.elapsed() < LONG {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(file.exists(), "it could not write all");
    }

    #[test]
    fn what_a_child_leaves_running_does_not_hold_it_up() {
        let started = Instant::now();
        assert!(shell("sleep 20 & exit 0", LONG, 10).unwrap().status.success());
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
