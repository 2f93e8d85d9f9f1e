//! What pgaudit logged: which entries are wanted, where they are, and how they are read.

mod counts;
mod elsewhere;
mod filter;
mod follow;
mod input;
mod listener;
mod log_files;
mod log_name;
mod log_settings;
mod log_timezone;
mod logs;
mod once;
mod pieces;
mod reading;
mod time_bound;

use std::cell::RefCell;

use auditlog::{AuditEntry, Format};

pub use counts::Counts;
pub use filter::{Choice, Criteria, Filter};
pub use follow::{Following, follow};
pub use input::{Input, unreadable};
pub use listener::Listener;
pub use log_files::LogFiles;
pub use log_settings::LogSettings;
pub use logs::{Found, Logs, grouped, logs_of_all};
pub use once::Once;
pub use reading::{CountBy, Query, Tally, View};

use pieces::count_in_pieces;
use reading::Reading;

/// Reads one input to its end, without the entries that earlier inputs of the group have shown. Returns what it holds, and whether
/// something is wrong with it.
pub fn read(
    input: &Input,
    query: &Query,
    settings: &LogSettings,
    once: Option<&mut Once>,
    listener: &mut dyn Listener,
) -> (Tally, bool) {
    let (tally, wrong) = tally(input, query, settings, once, listener);
    listener.read(&input.name, &tally, wrong.as_deref());
    (tally, wrong.is_some())
}

fn tally(
    input: &Input,
    query: &Query,
    settings: &LogSettings,
    once: Option<&mut Once>,
    listener: &mut dyn Listener,
) -> (Tally, Option<String>) {
    if once.is_none()
        && query.view != View::Entries
        && matches!(input.format(), None | Some(Format::Csv))
        && let Some((file, size)) = input.plain()
        && let Some(counted) = count_in_pieces(file, size, query, settings)
    {
        return match counted {
            Ok(tally) => (tally, None),
            Err(error) => {
                let wrong = format!("{}: {}", input.name, commit::reason(&error));
                (Tally::default(), Some(wrong))
            }
        };
    }
    let mut scanner = input.scanner(settings.prefix());
    let listener = RefCell::new(listener);
    let mut reading = Reading::new(query, settings, |entry: &AuditEntry<'_>| {
        listener.borrow_mut().entry(&input.name, entry);
    });
    if let Some(once) = once {
        once.begin();
        reading.once = Some(once);
    }
    let wrong = input.read(&mut scanner, &mut reading, 0, || {
        let mut listener = listener.borrow_mut();
        // Whoever watches standard input wants to see what came.
        if input.is_live() {
            listener.flush();
        }
        listener.is_open()
    });
    (reading.finish(&scanner), wrong)
}
