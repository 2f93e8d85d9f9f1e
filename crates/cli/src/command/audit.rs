//! `kasm-db audit`

use std::path::{Path, PathBuf};

use auditlog::{Entry, Prefix, Scanner};

use crate::args::{self, CountBy, Global, ReportFormat};
use crate::audit::{
    Filter, Following, Input, Logs, Query, Reading, Tally, View, count_in_pieces, follow, logs_of,
};
use crate::document::load_all;
use crate::exit::{Exit, Failure};
use crate::output::stream::Stream;
use crate::output::{Terminal, audit, audit_json};
use crate::target::{named, places};

/// Shows, counts or follows what pgaudit logged.
pub(crate) fn run(args: &args::Audit, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let filter = Filter::new(args)?;
    let mut exit = Exit::Done;
    let logs = if args.files.is_empty() { logs(global, terminal, &mut exit)? } else { Vec::new() };
    if args.files.is_empty() && logs.is_empty() {
        return Ok(exit);
    }
    let view = match (args.count, args.summary) {
        (Some(by), _) => View::Count(by),
        (_, true) => View::Summary,
        _ => View::Entries,
    };
    let query = Query { filter, view };
    let given = args.log_line_prefix.as_ref().map(|text| Prefix::new(text.as_bytes()));
    let prefix = given.or_else(|| logs.first().map(Logs::prefix));
    let list = || -> Result<Vec<PathBuf>, Failure> {
        let mut files = args.files.clone();
        for logs in &logs {
            files.extend(logs.files()?);
        }
        Ok(files)
    };
    let open: fn(&Path) -> _ = if logs.is_empty() { Input::open } else { Input::open_log };
    let mut stream = terminal.stream();
    if view == View::Entries && args.format == ReportFormat::Human {
        stream.text(&audit::titles());
    }
    let is_json = args.format == ReportFormat::Json;
    let show = |stream: &mut Stream, name: &str, entry: &Entry<'_>| {
        if is_json {
            stream.bytes(audit_json::line(entry, name).as_bytes());
        } else {
            let row = audit::row(entry, stream.width);
            stream.text(&row);
        }
    };
    if args.follow {
        if args.files.iter().any(|path| path.as_os_str() == "-") {
            return Err(Failure::new(
                Exit::Usage,
                "standard input is read as it comes: it can not be followed",
            )
            .help("leave `--follow` out"));
        }
        let report = |name: &str, tally: &Tally, wrong: Option<&str>| problems(name, tally, wrong, terminal);
        let following = Following {
            query: &query,
            prefix: prefix.as_ref(),
            open,
            stream: &mut stream,
            show: &show,
            report: &report,
        };
        follow(following, &list)?;
        stream.finish()?;
        return Ok(exit);
    }
    let mut whole = Tally::default();
    let mut broken = false;
    let files = list()?;
    for path in &files {
        if !stream.is_open() {
            break;
        }
        let input = match open(path) {
            Ok(input) => input,
            Err(failure) => {
                terminal.failure(&failure);
                exit = exit.worse(failure.exit);
                continue;
            }
        };
        let (tally, wrong) = read(&input, &query, prefix.as_ref(), &mut stream, &show);
        broken |= wrong.is_some();
        problems(&input.name, &tally, wrong.as_deref(), terminal);
        whole.merge(tally, 0);
    }
    match view {
        View::Entries => {}
        View::Count(by) if is_json => {
            stream.bytes(audit_json::report(&whole, files.len(), Some(by)).as_bytes());
        }
        View::Summary if is_json => stream.bytes(audit_json::report(&whole, files.len(), None).as_bytes()),
        View::Count(by) => {
            let text = audit::counts(&whole.counts, by == CountBy::Hour, stream.width);
            stream.text(&text);
        }
        View::Summary => {
            let text = audit::summary(&whole, files.len(), stream.width);
            stream.text(&text);
        }
    }
    stream.finish()?;
    overall(&whole, terminal);
    if args.strict && (broken || whole.is_incomplete()) { Ok(exit.worse(Exit::Error)) } else { Ok(exit) }
}

/// Reads one input; gives what it holds, and what is wrong with it.
fn read(
    input: &Input,
    query: &Query,
    prefix: Option<&Prefix>,
    stream: &mut Stream,
    show: &dyn Fn(&mut Stream, &str, &Entry<'_>),
) -> (Tally, Option<String>) {
    if query.view != View::Entries
        && let Some((file, size)) = input.plain()
        && let Some(counted) = count_in_pieces(file, size, query)
    {
        return match counted {
            Ok(tally) => (tally, None),
            Err(error) => {
                let wrong = format!("{}: {}", input.name, commit::reason(&error));
                (Tally::default(), Some(wrong))
            }
        };
    }
    let mut scanner = Scanner::new(prefix);
    let stream = std::cell::RefCell::new(stream);
    let mut reading =
        Reading::new(query, |entry: &Entry<'_>| show(&mut stream.borrow_mut(), &input.name, entry));
    let wrong = input.read(&mut scanner, &mut reading, || {
        let mut stream = stream.borrow_mut();
        // Whoever watches standard input wants to see what came.
        if input.is_live() {
            stream.flush();
        }
        stream.is_open()
    });
    (reading.tally, wrong)
}

/// Finds the logs of the targets; of several, those that have none are named, and the others are read.
fn logs(global: &Global, terminal: &Terminal, exit: &mut Exit) -> Result<Vec<Logs>, Failure> {
    if let Some(place) = named(global) {
        return Ok(vec![logs_of(&place, global)?]);
    }
    let mut all = Vec::new();
    for (_, loaded) in load_all(global)? {
        let loaded = loaded.map_err(|failure| match failure.help {
            None => failure,
            Some(_) => failure.help("name log files, `--deployment DIR`, or a document with `-f FILE`"),
        })?;
        // Of a valid document only the targets matter here; its warnings are for those who change it.
        let desired = match &loaded.reading.desired {
            Some(desired) => desired,
            None => {
                *exit = exit.worse(super::desired(&loaded, terminal).err().unwrap_or(Exit::Invalid));
                continue;
            }
        };
        for place in places(desired, &loaded.folder, global)? {
            match logs_of(&place, global) {
                Ok(logs) => all.push(logs),
                Err(failure) => {
                    terminal.failure(&failure);
                    *exit = exit.worse(failure.exit);
                }
            }
        }
    }
    Ok(all)
}

/// Says what of a file could not be read.
fn problems(name: &str, tally: &Tally, wrong: Option<&str>, terminal: &Terminal) {
    if let Some(wrong) = wrong {
        terminal.warning(wrong, Some("what comes before that is read"));
    }
    for (line, reason) in &tally.named {
        terminal.warning(&format!("{name}:{line}: {reason}"), None);
    }
    let more = tally.faults - tally.named.len() as u64;
    if more > 0 {
        let more = audit::count(more, "more place", "more places");
        terminal.warning(&format!("{name}: {more} could not be read"), None);
    }
}

/// Says what holds for all files.
fn overall(tally: &Tally, terminal: &Terminal) {
    if tally.cut > 0 {
        let entries = audit::count(tally.cut, "entry is", "entries are");
        let limit = auditlog::LIMIT >> 20;
        terminal.warning(&format!("{entries} longer than {limit} MiB: the rest is left out"), None);
    }
    if tally.undated > 0 {
        let entries = audit::count(tally.undated, "entry has", "entries have");
        let help = "give the server's prefix with `--log-line-prefix`";
        terminal.warning(&format!("{entries} no time that could be read, and so are not wanted"), Some(help));
    }
    if tally.unzoned > 0 {
        let entries = audit::count(tally.unzoned, "entry has", "entries have");
        let help = "give a time without a zone: it is compared with the server's clock";
        terminal
            .warning(&format!("{entries} a time zone that is not known: it is taken for UTC"), Some(help));
    }
}
