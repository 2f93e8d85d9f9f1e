//! `kasm-db import`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use commit::reason;
use model::document::{Files, Target};
use render::{Adoption, TargetKind};

use crate::args::{Global, Import};
use crate::disk::{Disk, normalize};
use crate::exit::{Exit, Failure, state};
use crate::output::{Terminal, escape, escape_lines, escape_message};
use crate::target::{name_of, place_of, relative};

/// Where Kasm's own installer puts the tree that runs.
const USUAL: &str = "/opt/kasm/current";

/// Writes a document from what is there. A plan from it is empty, and that is tried before it is written.
pub(crate) fn run(args: &Import, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    if !global.target.is_empty() {
        return Err(Failure::new(Exit::Usage, "`--target` names a target of a document, and none is read")
            .help("name what is there by `--deployment`, `--installer`, or `--compose` and `--conf`"));
    }
    if global.recursive {
        return Err(Failure::new(
            Exit::Usage,
            "`-R` searches a folder for documents, and one is written here",
        )
        .help("name it with `-o FILE`"));
    }
    let named = match &global.file[..] {
        [] => Path::new("kasm-db.yaml"),
        [file] => file,
        _ => {
            return Err(
                Failure::new(Exit::Usage, "only one document is written").help("name it with `-f FILE`")
            );
        }
    };
    let output = args.output.as_deref().unwrap_or(named);
    let file = (output != Path::new("-")).then_some(output);
    if file.is_some_and(|file| std::fs::symlink_metadata(file).is_ok()) {
        return Err(there_already(output));
    }
    let parent = file.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let target = target(args, global, folder)?;
    let place = place_of(&target, folder, global.root.as_deref())?;
    if let TargetKind::Files { compose, postgresql_conf, .. } = &place.target.kind {
        let named = compose.iter().chain(postgresql_conf).map(|path| place.folder.join(path));
        if let Some(missing) = named.into_iter().find(|path| !path.exists()) {
            return Err(Failure::new(Exit::Error, format!("{}: no such file", missing.display()))
                .help("check what `--compose` and `--conf` name"));
        }
    }
    let root = place.open()?;
    let disk = Disk::new(&root, global.root.as_deref());
    let observed = render::observe(&place.target, &disk);
    let adoption = match render::adopt(&observed, args.all_settings) {
        Ok(adoption) => adoption,
        Err(refused) => {
            super::show(&refused, None, terminal);
            terminal.note("No document is written: what is there can not be read.\n");
            terminal.state(state::NOTHING_CHANGED);
            return Ok(super::exit_of_blockers(&refused));
        }
    };
    let text = adoption.document(&target);
    try_it(&text, &adoption, folder, global)?;
    match file {
        None => terminal.result(&escape_lines(&text))?,
        Some(file) => {
            write(file, text.as_bytes())?;
            terminal.result(&format!(
                "{}: written, {}.\n",
                escape(&file.display().to_string()),
                says(&adoption)
            ))?;
        }
    }
    remarks(&adoption, terminal);
    Ok(Exit::Done)
}

fn says(adoption: &Adoption) -> String {
    let subjects: Vec<_> = adoption.subjects().map(|subject| escape(&subject)).collect();
    if subjects.is_empty() {
        "with nothing but its target".into()
    } else {
        format!("with {}", subjects.join(", "))
    }
}

/// Says what stays out of the document, and what a plan will meet whatever the document says.
fn remarks(adoption: &Adoption, terminal: &Terminal) {
    for left in adoption.left_out().iter().filter(|_| !terminal.quiet) {
        terminal.note(&format!("left out: `{}`: {}\n", escape(&left.subject), escape_message(&left.why)));
    }
    let blockers: Vec<_> = adoption.findings().iter().filter(|f| f.is_error()).cloned().collect();
    if !blockers.is_empty() {
        super::show(&blockers, None, terminal);
        terminal.note("A plan is refused until that is mended; no document is the cause of it.\n");
    }
}

/// Makes the document's target from what the command line names.
fn target(args: &Import, global: &Global, folder: &Path) -> Result<Target, Failure> {
    let written = |path: &PathBuf| from_document(path, folder);
    let mut target = Target { name: String::new(), deployment: None, installer: None, files: None };
    if let Some(installer) = &global.installer {
        target.name = name_of(installer, "installer");
        target.installer = Some(written(installer)?);
    } else if args.compose.is_empty() && args.conf.is_none() {
        let usual = PathBuf::from(USUAL);
        let deployment = global.deployment.as_ref().unwrap_or(&usual);
        target.name = name_of(deployment, "deployment");
        target.deployment = Some(written(deployment)?);
    } else {
        target.name = "files".into();
        target.files = Some(Files {
            compose: args.compose.iter().map(written).collect::<Result<_, _>>()?,
            postgresql_conf: args.conf.as_ref().map(written).transpose()?,
            service: args.service.clone(),
        });
    }
    Ok(target)
}

/// Gives a path of the command line as a document in `folder` names it: an absolute one as it is.
fn from_document(path: &Path, folder: &Path) -> Result<String, Failure> {
    let io = |path: &Path, error: &std::io::Error| {
        Failure::new(Exit::Error, format!("{}: can not resolve the path: {}", path.display(), reason(error)))
    };
    let text = |path: &Path| {
        path.to_str().map(String::from).ok_or_else(|| {
            Failure::new(Exit::Error, format!("{}: the path is not UTF-8", path.display()))
                .help("a document is UTF-8; rename the folder, or link to it")
        })
    };
    if path.is_absolute() {
        return text(path);
    }
    let here = std::env::current_dir().map_err(|error| io(Path::new("."), &error))?;
    let base = folder.canonicalize().map_err(|error| io(folder, &error))?;
    let absolute = normalize(&here.join(path));
    // `..` behind a link leads elsewhere than its text says.
    if base != normalize(&here.join(folder)) {
        return text(&absolute);
    }
    text(&relative(&base, &absolute))
}

/// Plans from the document as anybody would, and refuses to write one that changes something.
fn try_it(text: &str, adoption: &Adoption, folder: &Path, global: &Global) -> Result<(), Failure> {
    let fail = |why: String| {
        Failure::new(Exit::Error, format!("no document is written: a plan from it would not be empty: {why}"))
            .help("write the document by hand, and report this please")
    };
    let reading = model::read("kasm-db.yaml", text.as_bytes());
    let (Some(desired), None) = (&reading.desired, reading.diagnostics.iter().find(|d| d.is_error())) else {
        let errors = reading.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.clone());
        return Err(fail(errors.collect::<Vec<_>>().join("; ")));
    };
    for target in desired.targets() {
        let place = place_of(target, folder, global.root.as_deref())?;
        let root = place.open()?;
        let plan = super::make_plan(desired, &place.target, &root, global).plan;
        if let Some(change) = plan.changes.first() {
            return Err(fail(format!("`{}` would change", change.subject)));
        }
        if let Some(blocker) = plan.blockers().find(|blocker| !adoption.is_known(blocker)) {
            return Err(fail(blocker.message.clone()));
        }
    }
    Ok(())
}

fn there_already(path: &Path) -> Failure {
    Failure::new(Exit::Error, format!("{} is there already and is not overwritten", path.display()))
        .help("name another file with `-o FILE`, or print the document with `-o -`")
}

/// Writes a file that must not be there yet.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(there_already(path)),
        Err(error) => {
            return Err(Failure::new(
                Exit::Error,
                format!("{}: can not write the document: {}", path.display(), reason(&error)),
            ));
        }
    };
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a document is worse than none; it is ours, as it was not there before.
        let _ = std::fs::remove_file(path);
        Failure::new(
            Exit::Error,
            format!("{}: can not write the document: {}", path.display(), reason(&error)),
        )
    })
}
