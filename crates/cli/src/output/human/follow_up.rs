//! What follows the files of a plan.

use std::fmt::Write as _;

use model::document::Connect;
use ops::follow_up::Step;
use ops::{FollowUp, seconds};

use crate::output::escape;

/// Returns what an apply does after the files, and as whom.
pub(crate) fn text(follow_up: &FollowUp, who: &str) -> String {
    let mut out = format!("Then, as {}:\n", escape(who));
    for step in follow_up.steps() {
        let _ = match step {
            Step::Stop => writeln!(out, "  stop: {}", command(&follow_up.stop)),
            Step::Start => writeln!(out, "  start: {}", command(&follow_up.start)),
            Step::Healthy => match way(follow_up) {
                None => writeln!(out, "  it is not checked whether the database comes up (`connect: none`)"),
                Some(way) => {
                    let limit = seconds(&follow_up.timeout);
                    writeln!(out, "  wait for the database, at most {limit}: {way}")
                }
            },
            Step::Reload => match way(follow_up) {
                None => Ok(()),
                Some(way) => writeln!(out, "  reload: SELECT pg_catalog.pg_reload_conf(); {way}"),
            },
            Step::Extension => match way(follow_up).filter(|_| !follow_up.extension_databases.is_empty()) {
                None => Ok(()),
                Some(_) => {
                    let databases: Vec<_> =
                        follow_up.extension_databases.iter().map(|name| escape(name)).collect();
                    let sql = FollowUp::EXTENSION;
                    writeln!(out, "  extension: {sql}; in {}", databases.join(", "))
                }
            },
        };
    }
    out
}

fn command(argv: &[String]) -> String {
    if argv.is_empty() {
        return "(nothing says how)".into();
    }
    escape(&argv.join(" "))
}

/// Returns how the server is reached; `None` if nobody asks it.
fn way(follow_up: &FollowUp) -> Option<String> {
    let session = format!("as {} in {}", escape(&follow_up.user), escape(&follow_up.database));
    match follow_up.connect {
        Connect::Docker => Some(format!("in the container {}, {session}", escape(&follow_up.container))),
        Connect::Tcp => Some(format!("over TCP, {session}")),
        Connect::None => None,
    }
}
