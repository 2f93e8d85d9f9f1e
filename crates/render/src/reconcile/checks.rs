//! What the server would refuse, and what would be lost in silence.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

use model::postgres::{self, Context, Refused, Setting};
use model::{Code, DesiredState, Diagnostic, Image, Location, Release, Series};
use pgconf::value::ValueError;
use pgconf::{Assignment, ProblemKind};

use crate::compose::{Database, Host, Origin, usual_data};
use crate::conf::{ObservedConf, certain, is_located, located};
use crate::observe::ObservedState;
use crate::reconcile::draft::Draft;
use crate::reconcile::{image, preload, settings};
use crate::source::join;
use crate::target::TargetKind;

pub(super) fn check(desired: &DesiredState, observed: &ObservedState, draft: &mut Draft) {
    data_directory(desired, observed, draft);
    match &observed.conf {
        Some(conf) => {
            problems(conf, draft);
            if conf.is_readable() {
                values(desired, observed, conf, draft);
                libraries(desired, observed, conf, draft);
            }
            if desired.manages_conf() {
                whether_it_is_read(desired, observed, conf, draft);
            }
        }
        None if desired.manages_conf() => no_conf(desired, observed, draft),
        None => {}
    }
}

fn no_conf(desired: &DesiredState, observed: &ObservedState, draft: &mut Draft) {
    // A host without the database has none of its files.
    let is_elsewhere = |code| code == Code::NoService && observed.target.kind == TargetKind::Deployment;
    let is_known = |code| matches!(code, Code::Unreadable | Code::NoComposeFile) || is_elsewhere(code);
    if draft.findings.iter().any(|finding| finding.is_error() && is_known(finding.code)) {
        return;
    }
    let Some(path) = observed.target.kind.conf() else {
        let finding =
            Diagnostic::error(Code::NoConf, "settings are declared, but the target names no postgresql.conf")
                .help("add `postgresql_conf:` under the target's `files`");
        return draft.find_declared(finding, desired.conf_place());
    };
    let mounted = observed.databases.iter().any(|d| {
        let config_file = config_file(&d.database, None);
        d.database.mounts.host(&config_file).is_some_and(|host| host.path().is_some())
    });
    let message = if matches!(observed.target.kind, TargetKind::Files { .. }) || mounted {
        format!("{path} does not exist")
    } else {
        format!(
            "{path} does not exist, and no compose file mounts a postgresql.conf into the database's container"
        )
    };
    let help = match observed.target.kind {
        TargetKind::Files { .. } => {
            "check the path under `postgresql_conf`; it starts at the document's folder"
        }
        _ => {
            "restore the file, or check that this host runs the database: hosts with other roles and Kasm versions before 1.10 do \
             not have it"
        }
    };
    let mut finding = Diagnostic::error(Code::NoConf, message).help(help);
    if let Some(d) = observed.main_database()
        && !mounted
    {
        finding.location = d.database.site.as_ref().ok().map(|site| {
            let file = d.database.file(site);
            file.location(file.tree.written(site.service.key).span.clone())
        });
    }
    finding.related =
        desired.conf_place().map(|place| (place.clone(), "needed for what is declared here".into()));
    draft.find(finding);
}

/// Reports what the server would not start with.
fn problems(conf: &ObservedConf, draft: &mut Draft) {
    let auto = conf.auto.iter().flat_map(|auto| auto.problems().iter().map(move |p| (auto, p)));
    for (set, problem) in conf.set.problems().iter().map(|p| (&conf.set, p)).chain(auto) {
        let path = conf.here(&problem.path);
        let bytes = set.files().find(|(p, _)| *p == problem.path).map_or(&[][..], |(_, file)| file.bytes());
        let at = Location::new(path, bytes, problem.span.clone());
        let name = |server: &String| {
            let here = conf.here(server);
            if here == server { server.clone() } else { format!("{here} ({server} in the container)") }
        };
        let finding = match &problem.kind {
            // The token itself may be a part of a password; its place is enough.
            ProblemKind::Syntax(_) if is_open_quote(bytes, &problem.span) => Diagnostic::error(
                Code::ConfSyntax,
                "the single quote is not closed: PostgreSQL would not start",
            )
            .help("add the closing quote at the end of the value"),
            ProblemKind::Syntax(near) => {
                let near = if near.is_empty() { "at the end of the line" } else { "here" };
                Diagnostic::error(Code::ConfSyntax, format!("syntax error {near}: PostgreSQL would not start"))
                    .help("write `name = value`, and put a value with spaces, commas or other punctuation in single quotes")
            }
            ProblemKind::EmptyName => Diagnostic::error(Code::ConfInclude, "the include names no file")
                .help("add a file, or remove the line"),
            ProblemKind::Missing(file) => {
                Diagnostic::error(Code::ConfInclude, format!("the included {} does not exist", name(file)))
                    .help("use `include_if_exists` for a file that may be missing")
            }
            ProblemKind::MissingFolder(folder) => Diagnostic::error(
                Code::ConfInclude,
                format!("the included folder {} does not exist", name(folder)),
            )
            .help("create it, even an empty one will do, or comment the line out"),
            ProblemKind::Recursion(file) => {
                Diagnostic::error(Code::ConfInclude, format!("{} includes itself", name(file)))
                    .help("remove the include")
            }
            ProblemKind::TooDeep(file) => Diagnostic::error(
                Code::ConfInclude,
                format!("{} is included more than ten levels deep", name(file)),
            )
            .help("include it from a file further up"),
            ProblemKind::TooMany => {
                Diagnostic::error(Code::ConfInclude, "more than 2,000 files are included")
                    .help("remove includes, or merge files")
            }
            ProblemKind::TooManySettings => {
                Diagnostic::error(Code::ConfInclude, "more than 100,000 settings are read; here it stops")
                    .help("remove settings that are repeated")
            }
            ProblemKind::Unseen(file, why) => Diagnostic::warning(
                Code::ConfUnseen,
                format!("the included {} cannot be read: {why}", name(file)),
            )
            .help("check what it sets: that may override this file"),
        };
        draft.find(finding.at(at));
    }
}

/// Returns the image that the server will run, and the PostgreSQL in it.
fn resulting_image(desired: &DesiredState, observed: &ObservedState) -> (Option<Image>, Option<Series>) {
    let current = observed.main_database().and_then(|d| image::current(&d.database));
    let image = desired.image().cloned().or(current);
    let known = image.as_ref().and_then(|image| observed.series_of(image));
    // A server of another major would not start on this data.
    let of_data = observed.data.as_ref().map(|data| data.series);
    let declared = desired.postgres_major().map(Series::from);
    // What the name of the image says is more exact than what the document can declare.
    let known = known.filter(|known| declared.is_none_or(|declared| declared.major() == known.major()));
    (image, known.or(declared).or(of_data))
}

/// Compares the data directory with the server that will run on it, whether its image is changed or not.
fn data_directory(desired: &DesiredState, observed: &ObservedState, draft: &mut Draft) {
    if desired.image().is_none() && !desired.manages_conf() {
        return;
    }
    let (Some(data), (image, Some(series))) = (&observed.data, resulting_image(desired, observed)) else {
        return;
    };
    if data.series == series {
        return;
    }
    let what = match image {
        Some(image) => format!("{image} is PostgreSQL {series}"),
        None => format!("the document is for PostgreSQL {series}"),
    };
    let message = format!(
        "{what}, and the data directory was made by PostgreSQL {} (see {}): the server would not start",
        data.series, data.path
    );
    let mut finding = Diagnostic::error(Code::MajorChange, message).help(format!(
        "declare an image with PostgreSQL {0}; to change the major version, dump the database with PostgreSQL {0} and \
         restore it into a new data directory",
        data.series
    ));
    finding.location = observed.main_database().and_then(|d| {
        let site = d.database.site.as_ref().ok()?;
        Some(d.database.image_location(site))
    });
    draft.find_declared(finding, desired.major_place());
}

/// Reports settings that the server does not know, and values that it does not take.
fn values(desired: &DesiredState, observed: &ObservedState, conf: &ObservedConf, draft: &mut Draft) {
    let (_, series) = resulting_image(desired, observed);
    let major = series.map(Series::major);
    let Some(major) = major.filter(|major| postgres::MAJORS.contains(major)) else {
        return unchecked(desired, conf, major, draft);
    };
    let all = || conf.set.assignments().chain(conf.auto.iter().flat_map(pgconf::ConfSet::assignments));
    let lower = |a: &Assignment<'_>| String::from_utf8_lossy(a.name()).to_ascii_lowercase();
    let unset: HashSet<&str> = desired.unset().iter().map(String::as_str).collect();
    let wanted: HashSet<&str> = desired.settings().iter().map(|setting| setting.name.as_str()).collect();
    let mut last: HashMap<String, (&Setting, Assignment<'_>)> = HashMap::new();
    let mut unknown = 0;
    for assignment in all() {
        let name = lower(&assignment);
        // The wanted value replaces a bad one, and an unset one goes.
        if unset.contains(name.as_str()) {
            continue;
        }
        match postgres::lookup(&name, major) {
            Some(row) => {
                last.insert(name, (row, assignment));
            }
            None if !name.contains('.') && unknown < MAX_UNKNOWN => {
                unknown += 1;
                draft.find(unknown_setting(&name, major).at(settings::location(conf, assignment)));
            }
            None => {}
        }
    }
    let mut effective: Vec<_> = last.into_iter().collect();
    effective.sort_by(|(_, (_, a)), (_, (_, b))| (a.path, a.entry.line).cmp(&(b.path, b.entry.line)));
    for (name, (row, assignment)) in effective {
        if wanted.contains(name.as_str()) {
            continue;
        }
        let finding = if row.context == Context::Internal {
            let message = format!("`{name}` cannot be set in a file; PostgreSQL {major} would not start");
            Diagnostic::error(Code::ConfValue, message).help("remove the line")
        } else if let Err(error) = postgres::check(row, &assignment.value(), major) {
            let message = format!(
                "invalid value for `{name}` ({}): PostgreSQL {major} would not start",
                why(&error, &assignment.value())
            );
            let advice = match error {
                Refused::Value(_) => postgres::advice(row),
                Refused::Rule(_) => "correct the value".to_string(),
            };
            Diagnostic::error(Code::ConfValue, message)
                .help(format!("{advice}; run `kasm-db explain {name}` for more"))
        } else {
            continue;
        };
        // The line is right but for the value.
        let mut place = settings::location(conf, assignment);
        if finding.code == Code::ConfValue && row.context != Context::Internal {
            place = Location::new(&place.path, assignment.conf.bytes(), assignment.entry.value.clone());
        }
        draft.find(finding.at(place));
    }
}

/// Returns whether a quote starts at a place, and no other one is on its line.
fn is_open_quote(bytes: &[u8], span: &std::ops::Range<usize>) -> bool {
    let line =
        bytes.get(span.start..).unwrap_or_default().split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"'") && !line[1..].contains(&b'\'')
}

/// Reports that the file's own lines are not held against a major.
fn unchecked(desired: &DesiredState, conf: &ObservedConf, major: Option<u16>, draft: &mut Draft) {
    if !desired.manages_conf() && desired.image().is_none() {
        return;
    }
    let (why, help) = match major {
        Some(major) => (
            format!("the settings of PostgreSQL {major} are not known"),
            "use a later kasm-db, or check by hand that the server accepts every line",
        ),
        None => {
            ("the PostgreSQL major is not known".into(), "add `postgres_major:` with the major of the image")
        }
    };
    let message = format!("the settings in {} are not checked: {why}", conf.path);
    let place = desired.major_place().or_else(|| desired.conf_place());
    draft.find_declared(Diagnostic::warning(Code::ConfUnchecked, message).help(help), place);
}

/// Returns what is wrong with a value without repeating it.
fn why(error: &Refused, value: &[u8]) -> String {
    let is_with_unit = || {
        let unit = value.trim_ascii().trim_ascii_start();
        let digits = unit.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && digits < unit.len() && unit[digits..].iter().all(u8::is_ascii_alphabetic)
    };
    match error {
        Refused::Value(ValueError::NotNumber) if is_with_unit() => "it takes no unit".into(),
        Refused::Value(ValueError::UnknownUnit { units, .. }) => {
            format!("not a unit of this setting (units: {})", units.join(", "))
        }
        other => other.to_string(),
    }
}

/// More unknown settings than this are not worth a line each.
const MAX_UNKNOWN: usize = 20;

fn unknown_setting(name: &str, major: u16) -> Diagnostic {
    let message = format!("PostgreSQL {major} has no setting `{}` and would not start", name.escape_debug());
    let finding = Diagnostic::error(Code::ConfUnknown, message);
    match (postgres::removed_or_renamed(name), postgres::nearest(name, major)) {
        (Some(renamed), _) => finding.help(renamed.advice),
        (None, Some(meant)) => finding.help(format!("write `{meant}`, or remove the line")),
        (None, None) => finding.help("remove the line"),
    }
}

/// Reports libraries that the server could not load, and auditing without its library.
fn libraries(desired: &DesiredState, observed: &ObservedState, conf: &ObservedConf, draft: &mut Draft) {
    let now = conf.set.effective(settings::PRELOAD);
    let location = now.map(|now| settings::location(conf, now));
    let Some(libraries) = settings::resulting_libraries(desired, &conf.set) else {
        let value = now.map(|now| now.value()).unwrap_or_default();
        let bad =
            preload::split(&value).and_then(|items| items.into_iter().find(|item| !preload::is_name(item)));
        let (message, help) = if preload::is_too_long(&value) {
            let message =
                format!("{} lists more than {} libraries", settings::PRELOAD, preload::MAX_LIBRARIES);
            (message, "remove what is not needed: no more are read")
        } else if let Some(bad) = bad {
            let bad = String::from_utf8_lossy(&bad).escape_debug().to_string();
            let message =
                format!("{} has the library `{bad}`: PostgreSQL would not start", settings::PRELOAD);
            (
                message,
                "correct its name, or write the whole list with `preload: {mode: exact, libraries: […]}`",
            )
        } else {
            let message =
                format!("{} is not a valid list: PostgreSQL would start and load nothing", settings::PRELOAD);
            (
                message,
                "separate the libraries by commas, without one at the start or the end, or write the whole list with \
                 `preload: {mode: exact, libraries: […]}`",
            )
        };
        // Whoever does not manage the list does not make it worse.
        let mut finding = match desired.preload() {
            Some(_) => Diagnostic::error(Code::ConfList, message),
            None => Diagnostic::warning(Code::ConfList, message),
        }
        .help(help);
        finding.location = location;
        return draft.find(finding);
    };
    let mut images: Vec<Image> = desired.image().cloned().into_iter().collect();
    if images.is_empty() {
        images = observed.databases.iter().filter_map(|d| image::current(&d.database)).collect();
        images.dedup();
    }
    let fitting = LazyCell::new(|| observed.kasm_image());
    for library in &libraries {
        let name = String::from_utf8_lossy(&pgconf::library_name(library)).into_owned();
        for image in &images {
            if observed.has_library(image, &name) == Some(false) {
                let such_as = fitting.as_ref().map_or("kasmweb/postgres", Image::as_str);
                let mut finding = Diagnostic::error(
                    Code::LibraryMissing,
                    format!("{image} has no {name}: the server would not start"),
                )
                .help({
                    let place = desired.image_place().filter(|_| desired.image().is_some());
                    let place = place
                        .map(|at| format!("change `image` ({}:{}:{}) to one", at.path, at.line, at.column));
                    let place = place.unwrap_or_else(|| "declare an `image`".into());
                    let list = match desired.library_place(library) {
                        Some(_) => "`preload.libraries`",
                        None => "`shared_preload_libraries`",
                    };
                    let audit = match name == "pgaudit" && desired.audits() {
                        true => " and remove `audit`",
                        false => "",
                    };
                    format!(
                        "{place} that includes {name}, such as {such_as}, or remove {name} from \
                         {list}{audit}"
                    )
                });
                finding.location.clone_from(&location);
                draft
                    .find_declared(finding, desired.library_place(library).or_else(|| desired.image_place()));
            }
        }
    }
    let audited = libraries.iter().any(|library| pgconf::same_library(library, b"pgaudit"));
    if desired.audits() && !audited {
        let mut finding = Diagnostic::error(
            Code::PreloadMissing,
            "nothing would be audited: pgaudit is not among the preloaded libraries",
        )
        .help(match desired.preload() {
            Some(_) => "add `pgaudit` to `preload.libraries`",
            None => "add `preload: {libraries: [pgaudit]}` to the document",
        });
        finding.location = location;
        draft.find_declared(finding, desired.audit_place());
    }
}

/// Returns the path in the container of the conf that the server reads.
fn config_file(database: &Database, image: Option<&Image>) -> String {
    let options = &database.command.options;
    let option = |name: &str| {
        options.iter().rev().find(|o| o.name.eq_ignore_ascii_case(name)).map(|o| o.value.clone())
    };
    let own = image.filter(|_| !database.command.given).and_then(|image| Release::of(image).config_file);
    let data = database
        .data
        .clone()
        .unwrap_or_else(|| usual_data(image.and_then(|image| Release::of(image).series)));
    option("config_file").or(own.map(String::from)).unwrap_or_else(|| join(&data, "postgresql.conf"))
}

/// Returns the path in the container at which the target's conf itself is mounted.
fn mounted_at(database: &Database, conf: &ObservedConf, observed: &ObservedState) -> Option<String> {
    let has_data = observed.target.kind.has_data();
    database.mounts.containing(|host| is_located(&observed.snapshot, host, has_data, &conf.path))
}

/// Compares the file that the compose files let the server read with the target's.
fn whether_it_is_read(
    desired: &DesiredState,
    observed: &ObservedState,
    conf: &ObservedConf,
    draft: &mut Draft,
) {
    let explicit = matches!(observed.target.kind, TargetKind::Files { .. });
    for observed_database in &observed.databases {
        let database = &observed_database.database;
        let Ok(site) = &database.site else { continue };
        let location = match &site.origin {
            Origin::Own(entry, _) => {
                database.file(site).location(database.file(site).tree.written(entry.key).span.clone())
            }
            _ => database.image_location(site),
        };
        if let Some((at, why)) = &database.command.unreadable {
            draft.find(
                Diagnostic::warning(Code::CommandUnreadable, format!("the command cannot be read: {why}"))
                    .at(at.clone())
                    .help("check that it sets nothing that is declared: it would override postgresql.conf"),
            );
        }
        let current = image::current(database);
        let path = config_file(database, desired.image().or(current.as_ref()));
        let finding = match database.mounts.host(&path) {
            Some(Host::Path(host)) => {
                let has_data = observed.target.kind.has_data();
                let here = located(&observed.snapshot, &host, has_data);
                if here.as_deref() == Some(&conf.path) {
                    continue;
                }
                let message = format!("the server reads {host}, not {}", conf.path);
                // For files by name, where an absolute path leads is a guess, unless it is below the root or there.
                let is_certain = !explicit || certain(&observed.snapshot, &host, has_data).is_some();
                match here {
                    Some(_) if is_certain => Diagnostic::error(Code::ConfElsewhere, message).help(if explicit {
                        "name that file under `postgresql_conf:`, or mount this one in its place"
                    } else {
                        "mount conf/database/postgresql.conf there, or name the files of this deployment under `files:`"
                    }),
                    _ => Diagnostic::warning(Code::ConfElsewhere, message)
                        .help("check that it is the same file: that path is not on this host"),
                }
            }
            Some(Host::Unknown) => Diagnostic::warning(
                Code::ConfElsewhere,
                format!("no file sets the variable in the volume of {path}, which the server reads"),
            )
            .help(format!("check that it is {}", conf.path)),
            _ if explicit
                && database.command.unreadable.is_none()
                && let Some(mounted) = mounted_at(database, conf, observed) =>
            {
                let message = format!("{} is mounted at {mounted}, but the server reads {path}", conf.path);
                Diagnostic::error(Code::ConfElsewhere, message).help(format!(
                    "add `-c config_file={mounted}` to the `command:` of `{}`",
                    database.service
                ))
            }
            _ if explicit => Diagnostic::warning(
                Code::ConfNotMounted,
                format!(
                    "no volume of `{}` shows that the server reads {} as {path}",
                    database.service, conf.path
                ),
            ),
            _ if !observed_database.project.runs => continue,
            _ => Diagnostic::error(
                Code::ConfElsewhere,
                format!(
                    "the server reads {path} in its container, which no volume connects with {}",
                    conf.path
                ),
            )
            .help("mount the file and name it with `-c config_file=…` in `command:`"),
        };
        draft.find(finding.at(location));
    }
}
