//! What follows the files of a rollback: the steps, and a look at whether the server is on these files.

use live::{Restored, gather, restored_checks};
use render::{ObservedState, values_between};

use crate::context::Context;
use crate::documents::Declared;
use crate::error::Error;
use crate::follow_up::record::Record;
use crate::follow_up::runner::Runner;
use crate::opened::{Locked, Opened};
use crate::outcome::Outcome;
use crate::verify::{Looked, Options, settled};

/// What is done after the files of a rollback.
pub(super) struct Ending<'a> {
    pub(super) locked: &'a Locked<'a>,
    pub(super) declared: &'a Declared<'a>,
    /// The settings that the files changed.
    pub(super) restored: &'a [Restored],
    pub(super) context: &'a Context<'a>,
    /// Whether an earlier run began it.
    pub(super) is_resumed: bool,
}

impl Ending<'_> {
    /// Goes through the steps, and looks at what came of them.
    pub(super) fn run(&self, record: Record) -> Result<Outcome, Error> {
        let Self { locked, context, is_resumed, .. } = *self;
        let opened = locked.rooted.read();
        opened.learn_secrets(&context.environment, context.scrubber());
        Runner { locked, context, is_resumed }.run(record)?;
        settled(context, || self.look(&opened))
    }

    fn look(&self, opened: &Opened<'_>) -> Looked {
        let (desired, caller) = (self.declared.desired, self.context.caller());
        let Some(mut facts) = gather(desired, &opened.host_files(), Options::default(), &caller) else {
            return Looked::Not("the document says `verify: {connect: none}`");
        };
        let image = opened.observed.image();
        if image.as_ref() != desired.image() {
            // It is the id of another image.
            facts.declared_id = Ok(None);
        }
        Looked::Checked(restored_checks(image.as_ref(), self.restored, &facts))
    }
}

/// Returns the settings that get another value with other files.
pub(super) fn restored(before: &ObservedState, after: &ObservedState) -> Vec<Restored> {
    let values = values_between(before, after).into_iter();
    let restored = values.map(|between| Restored {
        name: between.name,
        value: between.after.map(|value| String::from_utf8_lossy(&value).into_owned()),
        is_hidden: between.may_be_secret,
    });
    restored.collect()
}
