//! The kinds of events.

use testing::Random;

use super::events;
use super::site::Site;

/// An event, which ends with a deployment in order, and returns how often the container must have been started.
type Event = fn(&mut Site, &mut Random) -> usize;

/// A kind of event.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    name: &'static str,
    event: Event,
}

const ALL: &[(&str, Event)] = &[
    ("declared restart", events::declared::restart),
    ("declared reload", events::declared::reload),
    ("kill of kasm-db", events::runs::killed),
    ("two admins", events::runs::two_admins),
    ("cron status", events::runs::cron),
    ("kill of the container", events::containers::killed),
    ("kill of the server", events::containers::server_killed),
    ("paused container", events::containers::paused),
    ("removed container", events::containers::removed),
    ("second container", events::containers::second),
    ("missing image", events::containers::image_missing),
    ("lost engine", events::containers::engine_lost),
    ("ALTER SYSTEM", events::statements::alter_system),
    ("ALTER SYSTEM for later", events::statements::alter_system_for_later),
    ("ALTER DATABASE", events::statements::alter_database),
    ("ALTER ROLE", events::statements::alter_role),
    ("vim", events::files::vim),
    ("edit in place", events::files::in_place),
    ("renamed conf", events::files::renamed),
    ("owner of the conf", events::files::owner),
    ("full log disk", events::files::log_full),
    ("full data disk", events::files::data_full),
];

impl Kind {
    /// Returns every kind; that of an engine that is restarted only if that is the test's own.
    pub(super) fn all(own_engine: bool) -> Vec<Self> {
        let engine: &[(&str, Event)] = &[("restart of the engine", events::containers::engine_restarted)];
        let own = engine.iter().filter(|_| own_engine);
        ALL.iter().chain(own).map(|(name, event)| Self { name, event: *event }).collect()
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    pub(super) fn run(self, site: &mut Site, random: &mut Random) -> usize {
        (self.event)(site, random)
    }
}
