//! A line that is written to the server's log, to see whether it gets there: the least that shows that the log grows.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::docker::Container;
use crate::facts::{NotRun, Server, Traced};
use crate::io_error::reason;
use crate::log::Log;
use crate::log_fault;
use crate::session::{Answer, Statement, Unreachable};
use crate::way::Way;

/// How long a line may take from the session to the file: the log has a process of its own.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Creates a tag that nothing else has, so that no other line or entry can be taken for ours.
///
/// # Errors
/// There are no random numbers.
pub(crate) fn tag() -> Result<String, Unreachable> {
    let mut bytes = [0; 8];
    let read = std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    read.map_err(|error| {
        Unreachable::new(format!("/dev/urandom: {}", reason(&error)), "check /dev/urandom")
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the statement that writes a line with a tag. Nothing of it stays in the database, and a standby runs it, too.
pub(crate) fn statement(tag: &str) -> Statement {
    Statement::new(format!("DO $$ BEGIN RAISE LOG 'kasm-db looks for this line: {tag}'; END $$"), 0)
}

/// Looks for the line with a tag that this server was told to write, with this answer; says why it is not there.
pub(crate) fn look(
    way: &Way,
    server: &Server,
    container: Option<&Container>,
    tag: &str,
    answer: Option<Answer>,
) -> Traced {
    let failed = |why, fix| Traced::Not(NotRun::Failed(Unreachable::new(why, fix)));
    if let Some(Err(why)) = answer {
        let fix = "correct what the server says: any user can run a `DO` block unless somebody took that right away";
        return failed(format!("no line could be written to the log: {why}"), fix);
    }
    let log = match Log::open(way, server, container) {
        Ok(log) => log,
        Err(why) => return Traced::Not(why),
    };
    let started = Instant::now();
    loop {
        match log.ends_with(tag) {
            Ok(true) => return Traced::Yes { log: log.name() },
            Ok(false) if started.elapsed() > PATIENCE => {
                return Traced::No { log: log.name(), fault: log_fault::find(way, &log, container) };
            }
            Ok(false) => sleep(Duration::from_millis(50)),
            Err(why) => return failed(why, "check whether this file can be read"),
        }
    }
}
