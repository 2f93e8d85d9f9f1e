//! Whether the database comes up, and whether anything starts it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use live::child::seconds;
use live::{Container, Docker, Statement, Unreachable};
use model::document::Connect;

use super::super::record::Record;
use super::{Done, Runner, Step};
use crate::error::Error;
use crate::observer::Event;

/// So often Docker may restart the container while it is waited for, before there is no hope.
const RESTARTS: u64 = 5;

/// How long a container may stay as it is if nothing starts it: a start command may do its work behind its end.
const IDLE: Duration = Duration::from_secs(10);

/// What waiting has seen so far.
#[derive(Default)]
struct Seen {
    /// The container, and how often Docker had restarted it when this run first saw it.
    first: Option<(String, u64)>,
    /// Since when nothing starts it.
    idle: Option<Instant>,
}

impl Seen {
    /// Returns why waiting is of no use; `None` while there is hope.
    fn hopeless(&mut self, docker: &Docker, found: Option<&Container>, name: &str) -> Option<Unreachable> {
        let Some(container) = found else {
            return self.is_idle().then(|| docker.missing(name));
        };
        let restarts = self.restarts(container);
        if container.is_up_or_on_its_way() {
            self.idle = None;
            return (restarts >= RESTARTS).then(|| docker.not_running(container));
        }
        self.is_idle().then(|| docker.not_running(container))
    }

    /// Returns how often Docker has restarted the container since it was seen first.
    fn restarts(&mut self, container: &Container) -> u64 {
        match &self.first {
            Some((id, first)) if *id == container.id && *first <= container.restarts => {
                container.restarts - first
            }
            // Another container, or one that was started by hand, has a count of its own.
            _ => {
                self.first = Some((container.id.clone(), container.restarts));
                0
            }
        }
    }

    fn is_idle(&mut self) -> bool {
        self.idle.get_or_insert_with(Instant::now).elapsed() > IDLE
    }
}

impl Runner<'_> {
    /// Waits until the server answers.
    pub(super) fn healthy(&self, record: &Record) -> Result<Done, Error> {
        if record.follow_up.connect == Connect::None {
            self.context.tell(Event::NotWaiting)?;
            return Ok(Done::NotNeeded);
        }
        let (started, mut said) = (Instant::now(), Instant::now());
        let mut seen = Seen::default();
        self.context.tell(Event::Waiting(record.follow_up.timeout))?;
        loop {
            let why = match self.answers(record) {
                Ok(()) => {
                    self.context.tell(Event::Answers(started.elapsed()))?;
                    return Ok(Done::Yes);
                }
                Err(why) => why,
            };
            let hopeless = self.look(record).and_then(|(docker, found)| {
                seen.hopeless(&docker, found.as_ref(), &record.follow_up.container)
            });
            // What stays so until somebody does something about it is not waited for either.
            let hopeless = hopeless.or_else(|| why.is_final.then(|| why.clone()));
            if started.elapsed() > record.follow_up.timeout || hopeless.is_some() {
                let why = hopeless.unwrap_or(why);
                let after = seconds(&started.elapsed());
                let mut message =
                    format!("the database did not come up, {after} after its start: {}", why.why);
                let mut fix = why.fix;
                if let Some((what, way_out)) = self.seen(record).suspects(&why.why) {
                    message = format!("{message}; {what}");
                    fix = format!("{way_out}; or {fix}");
                }
                return Err(Error::not_followed(message).help(format!(
                    "{fix}; then run `kasm-db apply` or `kasm-db recover`, which continue here, or put the old files \
                     back with `kasm-db rollback`",
                )));
            }
            if said.elapsed() > Duration::from_secs(10) {
                self.context.tell(Event::StillWaiting(started.elapsed(), &why.why))?;
                said = Instant::now();
            }
            sleep(Duration::from_millis(300));
        }
    }

    /// Returns the step at which a later run continues: what an earlier one started may have been stopped or removed since,
    /// and then nobody starts it.
    pub(super) fn resumed_at(&self, record: &Record) -> Result<Step, Error> {
        let step = record.follow_up.step;
        if step != Step::Healthy || record.follow_up.start.is_empty() {
            return Ok(step);
        }
        let down = match (record.follow_up.connect, self.look(record)) {
            (Connect::Docker, Some((docker, None))) => {
                Some((Step::Start, docker.missing(&record.follow_up.container)))
            }
            (Connect::Docker, Some((docker, Some(container)))) => match container.status.as_str() {
                "created" | "exited" | "dead" => Some((Step::Start, docker.not_running(&container))),
                // Docker waits longer each time before it tries again.
                _ if container.restarts >= RESTARTS || container.status == "restarting" => {
                    self.answers(record).err().map(|_| (Step::Stop, docker.not_running(&container)))
                }
                _ => None,
            },
            // The container is not seen; to start what runs changes nothing.
            (Connect::Tcp, _) => self.answers(record).err().map(|why| (Step::Start, why)),
            _ => None,
        };
        let Some((step, why)) = down else { return Ok(step) };
        self.context.tell(Event::Down(step, &why.why))?;
        Ok(step)
    }

    /// Looks at the container; `None` if Docker is not asked, or does not answer.
    fn look(&self, record: &Record) -> Option<(Docker, Option<Container>)> {
        if record.follow_up.connect != Connect::Docker {
            return None;
        }
        let docker = Docker::find(&self.context.caller()).ok()?;
        let container = docker.look(&record.follow_up.container).ok()?;
        Some((docker, container))
    }

    fn answers(&self, record: &Record) -> Result<(), Unreachable> {
        self.way(record)?.run(None, &[Statement::new("SELECT 'r', 1", 1)]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_from_before_it_was_waited_for_do_not_count() {
        let mut seen = Seen::default();
        let mut restarts = |id: &str, restarts| {
            seen.restarts(&Container { id: id.into(), restarts, ..Container::default() })
        };
        assert_eq!([restarts("a", 7), restarts("a", 7), restarts("a", 9)], [0, 0, 2]);
        assert_eq!([restarts("a", 0), restarts("a", 1)], [0, 1], "it was started by hand");
        assert_eq!([restarts("b", 5), restarts("b", 6)], [0, 1], "it was recreated");
    }
}
