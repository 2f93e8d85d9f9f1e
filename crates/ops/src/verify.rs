//! Whether the running server does what the document says.

use std::time::{Duration, Instant};

use live::{Caller, Check, Environment, Facts, HostFile, Remedy, Scrubber};
use model::DesiredState;
use render::TargetKind;

use crate::context::Context;
use crate::error::Error;
use crate::observer::Event;
use crate::opened::{Opened, Rooted, on_disk};
use crate::outcome::Outcome;
use crate::selection::Selection;
use crate::target_dir::TargetDir;

pub use live::{Options, Proof};

/// A password this short stands everywhere.
const SHORTEST: usize = 4;

/// What came of looking at a target's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Nothing runs from it, or nobody is to be asked; why.
    Not(&'static str),
    /// What was looked at.
    Checked(Vec<Check>),
}

/// What came of verifying a target.
#[derive(Debug)]
pub struct Verified {
    /// Where the target's folder leads to, with all links followed.
    pub folder: String,
    /// What came of looking at its server.
    pub looked: Looked,
    /// Knows the secrets of the target, which the texts of the checks may hold.
    pub scrubber: Scrubber,
}

/// Asks the running server of a target whether it does what the document says.
///
/// # Errors
/// The target's folder cannot be opened.
pub fn verify(
    desired: &DesiredState,
    dir: &TargetDir,
    options: Options,
    environment: &Environment,
    selection: &Selection,
) -> Result<Verified, Error> {
    let rooted = Rooted::open(dir, selection)?;
    let opened = rooted.read();
    let scrubber = Scrubber::default();
    opened.learn_secrets(environment, &scrubber);
    let looked = opened.look(desired, options, &Caller { environment, scrubber: &scrubber });
    Ok(Verified { folder: rooted.folder(), looked, scrubber })
}

impl Looked {
    /// Returns what was looked at.
    pub fn checks(&self) -> &[Check] {
        match self {
            Self::Not(_) => &[],
            Self::Checked(checks) => checks,
        }
    }
}

impl Verified {
    /// Returns what was looked at.
    pub fn checks(&self) -> &[Check] {
        self.looked.checks()
    }

    /// Returns how a run ends with it.
    pub fn outcome(&self) -> Outcome {
        if self.checks().iter().any(Check::is_failure) { Outcome::Unfinished } else { Outcome::Done }
    }
}

/// How long a server may take to have read its files again.
const RELOAD: Duration = Duration::from_secs(5);

/// Looks at a server until it has read its files, tells what was seen, and returns how the run ends with it.
pub(crate) fn settled(context: &Context<'_>, look: impl Fn() -> Looked) -> Result<Outcome, Error> {
    let started = Instant::now();
    loop {
        let checks = match look() {
            Looked::Not(_) => return Ok(Outcome::Done),
            Looked::Checked(checks) => checks,
        };
        // It reads its files some time after it was told to.
        let reloads = checks.iter().any(|check| check.remedy() == Some(Remedy::Reload));
        if reloads && started.elapsed() < RELOAD {
            std::thread::sleep(Duration::from_millis(200));
            continue;
        }
        context.tell(Event::Checked(&checks))?;
        let failed = checks.iter().any(Check::is_failure);
        return Ok(if failed { Outcome::Unfinished } else { Outcome::Done });
    }
}

impl Opened<'_> {
    /// Looks at the server of the target, with the bytes that were read of its files.
    pub(crate) fn look(&self, desired: &DesiredState, options: Options, caller: &Caller<'_>) -> Looked {
        self.look_at(desired, options, caller).0
    }

    /// Looks at the server as [`Opened::look`] does; returns besides what it says of itself.
    pub(crate) fn look_at(
        &self,
        desired: &DesiredState,
        options: Options,
        caller: &Caller<'_>,
    ) -> (Looked, Option<Facts>) {
        if self.rooted.target.kind == TargetKind::Installer {
            return (Looked::Not("nothing runs from an installer"), None);
        }
        match live::gather(desired, &self.host_files(), options, caller) {
            Some(facts) => (Looked::Checked(live::checks(desired, &facts)), Some(facts)),
            None => (Looked::Not("the document says `verify: {connect: none}`"), None),
        }
    }

    /// Returns what must not be repeated of what children and the server say: the secrets of the target, and our own.
    pub(crate) fn learn_secrets(&self, environment: &Environment, scrubber: &Scrubber) {
        scrubber.learn(render::secrets(&self.observed, &self.source()));
        let passwords = live::passwords(environment).into_iter();
        scrubber.learn(passwords.filter(|password| password.len() >= SHORTEST));
    }

    /// Returns the configuration files of the target, `postgresql.conf` itself first.
    pub(crate) fn host_files(&self) -> Vec<HostFile> {
        let file = |(inside, here): (&str, &str)| HostFile {
            inside: inside.to_string(),
            // A path that does not resolve is compared with nothing.
            on_host: on_disk(self.rooted, here).unwrap_or_default(),
            bytes: self.snapshot().bytes(here).map(<[u8]>::to_vec),
        };
        let files: Vec<_> = self.observed.conf_files().map(file).collect();
        // One that was moved away is not what the server reads, either.
        let lost = self.observed.lost_conf().filter(|_| files.is_empty()).map(|here| file((here, here)));
        files.into_iter().chain(lost).collect()
    }
}

impl Context<'_> {
    /// Returns who asks a server or runs a program.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller { environment: &self.environment, scrubber: self.scrubber() }
    }
}
