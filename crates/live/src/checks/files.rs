//! Whether a server runs from its files: from their image, and with the content of its configuration files.

use model::{Code, Image};

use super::fixes::{RESTART, RIGHTS};
use crate::check::{Check, Remedy, Subject};
use crate::facts::{ConfState, Facts, Line, Server};
use crate::session::Unreachable;

/// Whether the container was made from the image of the files.
pub(super) fn image(wanted: &Image, facts: &Facts) -> Option<Check> {
    let Some(container) = &facts.container else {
        return facts
            .server
            .is_ok()
            .then(|| Check::skip(Subject::Image, "over TCP the container is not seen"));
    };
    let runs = &container.image;
    let compared = |check: Check| Some(check.compared(wanted.as_str(), Some(runs.as_str().into())));
    let fail = |why: String| {
        compared(Check::fail(Subject::Image, Code::ImageNotRunning, why, RESTART, Remedy::Restart))
    };
    let same = Image::parse(runs).is_ok_and(|found| wanted.is_met_by(&found));
    if !same && *runs != container.image_id {
        return fail(format!("the container {} runs {runs}, not {}", container.name, wanted.as_str()));
    }
    match &facts.declared_id {
        Ok(Some(id)) if *id != container.image_id => fail(format!(
            "the container {} was made from an older {}: that name means another image by now",
            container.name,
            wanted.as_str()
        )),
        Ok(_) => compared(Check::ok(Subject::Image, format!("{} runs {runs}", container.name))),
        Err(Unreachable { why, fix, .. }) => compared(Check::unknown(Subject::Image, why, fix)),
    }
}

/// The files that the server reads: their bytes, and whether it takes them.
pub(super) fn conf(server: &Server) -> Vec<Check> {
    let mut checks = Vec::new();
    for conf in &server.confs {
        let subject = || Subject::File(conf.path.clone());
        let fail = |why: &str| Check::fail(subject(), Code::ConfNotRead, why, RESTART, Remedy::Restart);
        checks.push(match &conf.state {
            ConfState::Same => Check::ok(subject(), "what the server reads is the file on the host"),
            ConfState::Differs => fail(
                "the server reads another content than the host has: a file that is mounted by itself is not seen \
                 again when it is replaced",
            ),
            ConfState::Stale => fail(
                "the file was replaced since the container was started, which keeps the old one: the server does not see a \
                 change of it when it reloads",
            ),
            ConfState::Elsewhere(path) => Check::fail(
                subject(),
                Code::ConfNotRead,
                format!("the container has {path} for it, which is not this target's file"),
                "correct the volume in the compose file, or the path of the target",
                Remedy::Hand,
            ),
            ConfState::Unknown(why) => Check::unknown(subject(), why, RIGHTS),
        });
    }
    let lines = match &server.lines {
        Ok(lines) => lines,
        Err(why) => {
            checks.push(Check::unknown(Subject::Files, why, RIGHTS));
            return checks;
        }
    };
    // A value that waits for a restart is "not applied" too, and has a check of its own; so has one that the command line
    // overrules, if the document names it.
    let waits = |line: &Line| {
        let is_known = model::postgres::lookup(&line.name, server.major()).is_some();
        server.waiting(line).is_some()
            || server
                .setting(&line.name)
                .is_some_and(|now| now.source == "command line" || now.pending_restart && !is_known)
    };
    let errors: Vec<_> = lines.iter().filter(|line| !line.error.is_empty() && !waits(line)).collect();
    checks.push(match errors.first() {
        None => Check::ok(Subject::Files, "the server accepts every line of its files"),
        Some(first) => {
            let more = match errors.len() - 1 {
                0 => String::new(),
                n => format!(", and {n} more"),
            };
            let name = if first.name.is_empty() { String::new() } else { format!("`{}`: ", first.name) };
            let why = format!("{}:{}: {name}{}{more}", first.file, first.line, first.error);
            let fix =
                "fix the line: the server ignores it, or the whole file, and may not start again with it";
            Check::fail(Subject::Files, Code::ConfNotTaken, why, fix, Remedy::Hand)
        }
    });
    checks
}
