//! `kasm-db audit`

use std::cell::Cell;
use std::io::{Read as _, stdin};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auditlog::AuditEntry;
use model::names_schema;
use ops::audit::{
    Choice, Counts, Criteria, Filter, Following, Input, Listener, LogSettings, Logs, Once, Query, Tally,
    View, follow, grouped, logs_of_all, read, unreadable,
};
use ops::{Error, Outcome, quoted};

use super::Setting;
use crate::args::{self, AuditType};
use crate::output::count;
use crate::output::emitter::Entries;
use crate::output::stream::Stream;

/// Shows, counts or follows what pgaudit logged.
pub(crate) fn run(args: &args::Audit, setting: &Setting) -> Result<Outcome, Error> {
    let terminal = &setting.terminal;
    if args.strict && !args.filters.not_app.is_empty() {
        let message = "`--not-app` cannot be used with `--strict`: a client may call itself anything";
        return Err(Error::usage(message).help("use `--not-user`, or leave one of them out"));
    }
    let filter = Filter::new(&criteria(args))?;
    let given = LogSettings::given(args.log_line_prefix.as_deref(), args.log_timezone.as_deref())?;
    let (logs, mut outcome) = if args.files.is_empty() {
        logs_of_all(&setting.selection(), &mut |met| {
            setting.show_met(met);
        })?
    } else {
        (Vec::new(), Outcome::Done)
    };
    if args.files.is_empty() && logs.is_empty() {
        return Ok(outcome);
    }
    let view = match (args.count, args.summary) {
        (Some(by), _) => View::Count(by.into()),
        (_, true) => View::Summary,
        _ => View::Entries,
    };
    let query = Query { filter, view };
    let is_first = Cell::new(true);
    let list = || -> Result<Vec<Vec<PathBuf>>, Error> {
        if logs.is_empty() {
            return Ok(vec![args.files.clone()]);
        }
        // Later, one server that has no files for a moment does not hide those of the others.
        let is_first = is_first.replace(false);
        let files = |logs: &Logs| match logs.files() {
            Ok(found) => Ok(found.groups.into_iter().flatten().collect()),
            Err(error) if is_first => Err(error),
            Err(_) => Ok(Vec::new()),
        };
        logs.iter().map(files).collect()
    };
    let servers: Vec<LogSettings> = match logs.is_empty() {
        true => vec![given],
        false => logs.iter().map(|logs| given.clone().or_of(logs)).collect(),
    };
    let open = |path: &Path| -> Result<Input, Error> {
        let of_name = logs.iter().find_map(|logs| logs.format(path));
        let input = if logs.is_empty() { open_named(path)? } else { Input::open_log(path)? };
        Ok(input.in_format(args.log_format.map(Into::into).or(of_name)))
    };
    // The command line takes no format without them.
    let Some(entries) = args.format.entries else { return Ok(outcome) };
    let mut reader = Reader {
        stream: terminal.stream(),
        entries,
        setting,
        follows: args.follow,
        is_begun: view != View::Entries,
        is_said: false,
        hidden: Counts::default(),
    };
    if logs.iter().any(Logs::hides_functions) {
        let message = "log_error_verbosity and log_min_error_statement hide what follows a message of a function: in stderr \
                       logs, entries that a function wrote look like those of pgaudit";
        setting.warning(message, Some("set log_error_verbosity = default, or log to csvlog or jsonlog"));
    }
    if args.follow {
        // What is followed may have nothing to show for a long time.
        reader.begin();
        if args.files.iter().any(|path| path.as_os_str() == "-") {
            return Err(Error::usage("standard input is read as it comes: it cannot be followed")
                .help("remove `--follow`"));
        }
        let following = Following { query: &query, servers: &servers, open: &open, listener: &mut reader };
        follow(following, &list)?;
        reader.stream.finish()?;
        return Ok(outcome);
    }
    let mut whole = Tally::default();
    let mut broken = false;
    let (named, twice) = grouped(&args.files);
    let mut groups: Vec<_> = named.into_iter().map(|group| (&servers[0], group)).collect();
    for (of_target, settings) in logs.iter().zip(&servers) {
        let found = match of_target.files() {
            Ok(found) => found,
            Err(error) if logs.len() == 1 => return Err(error),
            Err(error) => {
                setting.error(&error);
                outcome = outcome.worse(error.kind);
                continue;
            }
        };
        groups.extend(found.groups.into_iter().map(|group| (settings, group)));
        left_out("files whose names do not match log_filename", &found.left_out, setting);
        left_out("logs outside of log_directory", &found.elsewhere, setting);
        broken |= !found.left_out.is_empty() || !found.elsewhere.is_empty();
    }
    for (path, other) in &twice {
        let message = format!("{} is the same as {}: it is read once", path.display(), other.display());
        setting.warning(&message, None);
        broken = true;
    }
    let files: usize = groups.iter().map(|(_, group)| group.len()).sum();
    for (settings, group) in &groups {
        let mut once = (group.len() > 1).then(Once::default);
        for path in group {
            if !reader.stream.is_open() {
                break;
            }
            let input = match open(path) {
                Ok(input) => input,
                Err(error) => {
                    setting.error(&error);
                    outcome = outcome.worse(error.kind);
                    continue;
                }
            };
            let (tally, is_broken) = read(&input, &query, settings, once.as_mut(), &mut reader);
            broken |= is_broken;
            whole.merge(tally, 0);
        }
        if once.is_some_and(|once| once.is_full()) {
            let message = "too many entries to compare those of several formats: some may be there twice";
            setting.warning(message, Some("name the files of one format"));
            broken = true;
        }
    }
    // Above an error there is no table without rows.
    if outcome == Outcome::Done && whole.faults == 0 {
        reader.begin();
    }
    reader.stream.finish()?;
    setting.results.each(|emitter| emitter.tally(&whole, files, view))?;
    overall(&whole, setting);
    if whole.entries == 0 && whole.faults > 0 {
        let error = match args.files.iter().find(|path| is_document(path)) {
            Some(path) => {
                let shown = path.display().to_string();
                let help = format!("run `kasm-db audit -f {}` to read the logs of its targets", quoted(&shown));
                Error::failed(format!("{shown} is a kasm-db document, not a PostgreSQL log")).help(help)
            }
            None => Error::failed("no entry could be read").help(
                "check that the files are PostgreSQL logs; name their format with `--log-format` if it was not detected",
            ),
        };
        setting.error(&error);
        return Ok(outcome.worse(error.kind));
    }
    if args.strict && (broken || whole.is_incomplete()) {
        let error = Error::failed("not every entry could be read, or not without doubt (`--strict`)")
            .help("check the places that the warnings name");
        setting.error(&error);
        return Ok(outcome.worse(error.kind));
    }
    Ok(outcome)
}

/// Shows entries as they come.
struct Reader<'a> {
    stream: Stream,
    entries: &'static dyn Entries,
    setting: &'a Setting,
    /// Whether the run has no end at which it could sum up.
    follows: bool,
    /// Whether what stands above the entries is written.
    is_begun: bool,
    /// Whether it was said that some of the logs prove nothing.
    is_said: bool,
    /// The users of whom it was said that entries are hidden.
    hidden: Counts,
}

impl Reader<'_> {
    /// Writes what stands above the entries, once.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.entries.begin(&mut self.stream);
        }
    }
}

impl Listener for Reader<'_> {
    fn entry(&mut self, name: &str, entry: &AuditEntry<'_>) {
        self.begin();
        self.entries.entry(name, entry, &mut self.stream);
    }

    fn read(&mut self, name: &str, tally: &Tally, wrong: Option<&str>) {
        problems(name, tally, wrong, self.setting);
        if tally.has_client_names && !std::mem::replace(&mut self.is_said, true) {
            let message =
                format!("{name}: a stderr log with names in its lines is not proof: clients choose them");
            self.setting.warning(&message, Some("log to csvlog or jsonlog"));
        }
        if self.follows && tally.hidden > 0 {
            let new = self.hidden.add_all(&tally.hidden_users);
            if !new.is_empty() {
                let users = listed(new.iter().map(|user| name_of_user(user)));
                self.setting.warning(&format!("`--not-app` hides entries of {users}"), Some(HIDDEN));
            }
        }
    }

    fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    fn flush(&mut self) {
        self.stream.flush();
    }

    fn wait(&mut self, time: Duration) {
        self.stream.wait(time);
    }
}

/// Opens a file, or standard input for `-`.
fn open_named(path: &Path) -> Result<Input, Error> {
    if path != Path::new("-") {
        return Input::open(path);
    }
    // A descriptor of our own: what the standard library holds back could not be waited for.
    let file = stdin().as_fd().try_clone_to_owned().map_err(|error| unreadable("<stdin>", &error))?;
    Ok(Input::stdin(file.into()))
}

/// Returns whether a file begins as a document does.
fn is_document(path: &Path) -> bool {
    let mut start = Vec::new();
    // Not a pipe, which has been read.
    let mut read = |path: &Path| std::fs::File::open(path)?.take(START).read_to_end(&mut start);
    path.is_file() && read(path).is_ok() && names_schema(&start)
}

/// How much of a file is looked at to tell what it is.
const START: u64 = 64 << 10;

fn criteria(args: &args::Audit) -> Criteria {
    let filters = &args.filters;
    let kind = |kind| match kind {
        AuditType::Session => auditlog::AuditType::Session,
        AuditType::Object => auditlog::AuditType::Object,
    };
    Criteria {
        only: Choice {
            classes: filters.class.clone(),
            kind: filters.kind.map(kind),
            users: filters.user.clone(),
            databases: filters.database.clone(),
            applications: filters.app.clone(),
            sessions: filters.session.clone(),
            commands: filters.command.clone(),
            object_types: filters.object_type.clone(),
            objects: filters.object.clone(),
            texts: filters.grep.clone(),
        },
        not: Choice {
            classes: filters.not_class.clone(),
            kind: filters.not_type.map(kind),
            users: filters.not_user.clone(),
            databases: filters.not_database.clone(),
            applications: filters.not_app.clone(),
            sessions: filters.not_session.clone(),
            commands: filters.not_command.clone(),
            object_types: filters.not_object_type.clone(),
            objects: filters.not_object.clone(),
            texts: filters.not_grep.clone(),
        },
        since: args.since.clone(),
        until: args.until.clone(),
    }
}

/// Returns what of a file could not be read.
fn problems(name: &str, tally: &Tally, wrong: Option<&str>, setting: &Setting) {
    if let Some(wrong) = wrong {
        setting.warning(wrong, Some("what comes before that is read"));
    }
    for (line, reason) in &tally.named {
        setting.warning(&format!("{name}:{line}: {reason}"), None);
    }
    let more = tally.faults - tally.named.len() as u64;
    if more > 0 {
        let more = count(more, "more place", "more places");
        setting.warning(&format!("{name}: {more} could not be read"), None);
    }
}

/// Names files that are not read.
fn left_out(what: &str, files: &[PathBuf], setting: &Setting) {
    const NAMED: usize = 5;
    if files.is_empty() {
        return;
    }
    let names: Vec<_> = files.iter().take(NAMED).map(|path| path.display().to_string()).collect();
    let more = match files.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("{what} are not read: {}{more}", names.join(", "));
    setting.warning(&message, Some("name the files to read them"));
}

/// What to do about entries that are hidden.
const HIDDEN: &str = "a client may call itself anything: `--app` shows these entries";

/// Writes names one after the other, and no more of them than somebody would read.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    const NAMED: usize = 10;
    let more = names.len().saturating_sub(NAMED);
    let mut text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn name_of_user(user: &[u8]) -> String {
    if user.is_empty() { "(nobody)".into() } else { String::from_utf8_lossy(user).into_owned() }
}

/// Returns what holds for all files.
fn overall(tally: &Tally, setting: &Setting) {
    if tally.cut > 0 {
        let entries = count(tally.cut, "entry is", "entries are");
        let limit = auditlog::LIMIT >> 20;
        setting.warning(&format!("{entries} longer than {limit} MiB: the rest is left out"), None);
    }
    if tally.uncertain > 0 {
        let entries = count(tally.uncertain, "entry is", "entries are");
        let message = format!("{entries} uncertain: a client may have chosen what stands there");
        setting.warning(&message, Some("log to csvlog or jsonlog, which leave no doubt"));
    }
    if tally.hidden > 0 {
        let users = tally.hidden_users.sorted(false);
        let users = users.into_iter().map(|(user, count)| format!("{} ({count})", name_of_user(user)));
        let entries = count(tally.hidden, "entry", "entries");
        let message = format!("`--not-app` hid {entries}: {}", listed(users.collect::<Vec<_>>().into_iter()));
        setting.warning(&message, Some(HIDDEN));
    }
    if tally.unnamed > 0 {
        let entries = count(tally.unnamed, "entry", "entries");
        let help = "add %u, %d, %a and %p to log_line_prefix, or log to csvlog or jsonlog";
        let message =
            format!("the log does not have the names of {entries} by which you filter: they are left out");
        setting.warning(&message, Some(help));
    }
    if tally.undated > 0 {
        let entries = count(tally.undated, "entry has", "entries have");
        let help = "give the server's prefix with `--log-line-prefix`";
        setting.warning(&format!("{entries} no time that could be read, and so are not wanted"), Some(help));
    }
    if tally.unzoned > 0 {
        let entries = count(tally.unzoned, "entry has", "entries have");
        let help = "name the server's zone with `--log-timezone`";
        let message = format!(
            "{entries} a time zone that is not known or not the only one of its name: it is taken for UTC"
        );
        setting.warning(&message, Some(help));
    }
}
