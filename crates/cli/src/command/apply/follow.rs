//! What follows the files: whether the database is stopped and started, reloads, or is left alone.

use commit::{Lock, Root};
use model::document::Policy;
use render::{FileKind, Needs, Plan, TargetKind};

use super::Run;
use crate::args::SslMode;
use crate::command::verify::{Looked, look};
use crate::exit::{Exit, Failure};
use crate::live::check::{Check, Mend};
use crate::live::follow::{FollowUp, Step};
use crate::live::gather::Options;
use crate::live::hushed::hush;
use crate::live::restart::{Follower, pending, program_of};
use crate::output::report;
use crate::recovery;

/// How long a server may take to have read its files again.
const RELOAD: std::time::Duration = std::time::Duration::from_secs(5);

impl Run<'_> {
    /// Tells whether this run does more than write files.
    pub(super) fn goes_on(&self) -> bool {
        let policy = self.desired.restart().policy;
        policy == Policy::IfNeeded
            && !self.args.files_only
            && self.place.target.kind != TargetKind::Installer
            // A copy of a host's files is nothing that runs.
            && self.global.root.is_none()
    }

    /// Gives what is to follow the files of a plan; checked before anything is written.
    ///
    /// # Errors
    /// There is no command to stop or start with, or what an earlier run left can not be read.
    pub(super) fn follow_up(&self, plan: &Plan, root: &Root) -> Result<Option<FollowUp>, Failure> {
        if !self.goes_on() {
            return Ok(None);
        }
        let left = pending(root)?;
        let step = match plan.needs() {
            // Whoever was to stop or to start it still has to.
            _ if left
                .as_ref()
                .is_some_and(|left| left.step != Step::Extension && left.step != Step::Reload) =>
            {
                Step::Stop
            }
            Needs::Restart | Needs::Recreate => Step::Stop,
            Needs::Reload => Step::Reload,
            Needs::Nothing => return Ok(left),
        };
        self.record(step, root).map(Some)
    }

    /// Lists the files that are written in place: where a reload is enough the container must see them, and of a
    /// file that it has mounted by itself it sees the old one when it is replaced.
    pub(super) fn in_place(&self, plan: &Plan) -> bool {
        self.args.writing.in_place
            || (plan.needs() == Needs::Reload && plan.files.iter().all(|file| file.kind == FileKind::Conf))
    }

    /// Writes down what is to be done from a step on.
    fn record(&self, step: Step, root: &Root) -> Result<FollowUp, Failure> {
        let (restart, verify) = (self.desired.restart(), self.desired.verify());
        let own = |named: &Option<Vec<String>>, name: &str| match (named, &self.place.target.kind) {
            (Some(argv), _) => argv.clone(),
            (None, TargetKind::Deployment) => {
                vec![root.path().join("bin").join(name).display().to_string()]
            }
            (None, _) => Vec::new(),
        };
        let (stop, start) = (own(&restart.stop, "stop"), own(&restart.start, "start"));
        if step == Step::Stop {
            for (argv, name) in [(&stop, "stop"), (&start, "start")] {
                if argv.is_empty() {
                    let message = format!("nothing says how to {name} the database of this target");
                    return Err(Failure::new(Exit::Error, message).help(
                        "write `restart: {policy: if_needed, stop: […], start: […]}` in the document",
                    ));
                }
                program_of(argv, root)?;
            }
        }
        let last = root.history().map_err(|error| recovery::refused(&error))?;
        let last = last.last().map_or(0, |generation| generation.number);
        Ok(FollowUp {
            step,
            stop,
            start,
            timeout: restart.timeout(),
            connect: verify.connect,
            container: verify.container().to_string(),
            user: verify.user().to_string(),
            database: verify.database().to_string(),
            sslmode: self.args.sslmode,
            extensions: self.desired.extension_databases().to_vec(),
            back_to: self.args.rollback_on_failure.then_some(last),
        })
    }

    /// Does what follows, and looks at what came of it.
    pub(super) fn go_on(&self, lock: &Lock<'_>, root: &Root, record: FollowUp) -> Result<Exit, Failure> {
        if self.args.no_restart {
            let what = match record.step {
                Step::Reload => "a reload is pending",
                Step::Extension => "the extension is pending",
                _ => "a restart is pending",
            };
            self.terminal.note(&format!(
                "Left as it is: {what}. `kasm-db apply` without --no-restart, or `kasm-db recover`, goes on with it.\n"
            ));
            return Ok(Exit::Unfinished);
        }
        hush(self.place, root, self.global.root.as_deref());
        let sslmode = record.sslmode;
        Follower { lock, root, terminal: self.terminal }.run(record)?;
        self.verified(root, sslmode)
    }

    /// Looks at the server after everything was done.
    fn verified(&self, root: &Root, sslmode: Option<SslMode>) -> Result<Exit, Failure> {
        let started = std::time::Instant::now();
        loop {
            let options = Options { sslmode, probe: true };
            let checks = match look(self.desired, self.place, root, options, self.global) {
                Looked::Not(_) => return Ok(Exit::Done),
                Looked::Checked(checks) => checks,
            };
            // It reads its files some time after it was told to.
            let reloads = checks.iter().any(|check| check.mend() == Some(Mend::Reload));
            if reloads && started.elapsed() < RELOAD {
                std::thread::sleep(std::time::Duration::from_millis(200));
                continue;
            }
            self.terminal.result(&report::after_apply(&checks))?;
            let failed = checks.iter().any(Check::is_failure);
            return Ok(if failed { Exit::Unfinished } else { Exit::Done });
        }
    }

    /// Goes on where the files are as they should be: with what an earlier run left, or with what the server
    /// itself needs to do as they say.
    pub(super) fn settle(&self, lock: &Lock<'_>, root: &Root) -> Result<Exit, Failure> {
        if self.args.files_only || self.args.writing.dry_run {
            return Ok(Exit::Done);
        }
        let left = pending(root)?;
        if !self.goes_on() {
            return Ok(match left {
                None => Exit::Done,
                Some(_) => {
                    self.terminal
                        .note("An earlier apply is not finished: `kasm-db recover` goes on with it.\n");
                    Exit::Unfinished
                }
            });
        }
        if let Some(mut record) = left {
            // What is said now wins over what was said then.
            record.sslmode = self.args.sslmode.or(record.sslmode);
            let name = record.step.name();
            self.terminal.note(&format!("An earlier apply goes on at its step `{name}`.\n"));
            return self.go_on(lock, root, record);
        }
        let options = Options { sslmode: self.args.sslmode, probe: false };
        let checks = match look(self.desired, self.place, root, options, self.global) {
            Looked::Not(_) => return Ok(Exit::Done),
            Looked::Checked(checks) => checks,
        };
        let mend = checks.iter().filter_map(Check::mend).max();
        let (step, what) = match mend {
            Some(Mend::Restart) => (Step::Stop, "it must be stopped and started"),
            Some(Mend::Reload) => (Step::Reload, "it must read its files again"),
            Some(Mend::Extension) => (Step::Extension, "the extension must be created"),
            Some(Mend::Hand) | None => {
                self.terminal.result(&report::after_apply(&checks))?;
                let failed = mend.is_some();
                return Ok(if failed { Exit::Unfinished } else { Exit::Done });
            }
        };
        self.terminal.result(&report::after_apply(&checks))?;
        self.terminal.note(&format!("The running server is not as its files say: {what}.\n"));
        let record = self.record(step, root)?;
        if self.args.no_restart {
            return self.go_on(lock, root, record);
        }
        if self.saved.is_none() && !self.args.writing.yes && !self.confirmed()? {
            self.terminal.note("Nothing was done.\n");
            return Ok(Exit::Error);
        }
        lock.set_follow_up(&record.encode()).map_err(|error| recovery::refused(&error))?;
        self.go_on(lock, root, record)
    }
}
