//! How targets stand.

use live::Subject;
use ops::TargetName;
use ops::audit::LogFiles;
use ops::status::{FilesStatus, ServerStatus, Since, Status};

use super::checks::one_line;
use crate::output::{count, escape, style};

/// The line of a target.
pub(crate) struct Line {
    label: String,
    text: String,
    /// Whether its server differs.
    pub(crate) differs: bool,
    /// A newer tree beside it.
    pub(crate) newer: Option<String>,
}

impl Line {
    /// Renders how a target stands.
    pub(crate) fn new(name: &TargetName, status: &Status) -> Self {
        let text = status.scrubber.known(&text(status));
        let differs = !matches!(status.server, ServerStatus::InSync | ServerStatus::NotAsked(_));
        let newer = status.newer.as_ref().map(|newer| escape(&newer.display().to_string()));
        Self { label: name.label(), text, differs, newer }
    }
}

/// Renders the lines of all targets, one below the other.
pub(crate) fn lines(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.label.chars().count()).max().unwrap_or(0);
    lines.iter().map(|line| format!("{:width$}  {}\n", escape(&line.label), line.text)).collect()
}

fn text(status: &Status) -> String {
    let scrubber = &status.scrubber;
    let files = match &status.files {
        FilesStatus::InSync => format!("{0}files in sync{0:#}", style::ADDED),
        FilesStatus::Differ { changes, files, since } => format!(
            "{0}files differ{0:#}: {1} in {2} ({3})",
            style::CHANGED,
            count(changes.len(), "value", "values"),
            count(*files, "file", "files"),
            words(*since)
        ),
        FilesStatus::Blocked { why, .. } => {
            format!("{0}files blocked{0:#}: {1}", style::ERROR, one_line(why, scrubber))
        }
    };
    let server = match &status.server {
        ServerStatus::InSync => format!("{0}server in sync{0:#}", style::ADDED),
        ServerStatus::NotAsked(why) => format!("{0}server not asked{0:#}: {why}", style::DIM),
        ServerStatus::Unreachable(why) => {
            format!("{0}server unreachable{0:#}: {1}", style::ERROR, one_line(why, scrubber))
        }
        ServerStatus::RestartPending(subjects) => {
            format!("{0}restart pending{0:#}: {1}", style::CHANGED, one_line(&names(subjects), scrubber))
        }
        ServerStatus::Differs(subjects) => {
            format!("{0}server differs{0:#}: {1}", style::CHANGED, one_line(&names(subjects), scrubber))
        }
        ServerStatus::NotChecked(subjects) => {
            format!("{0}server not checked{0:#}: {1}", style::ERROR, one_line(&names(subjects), scrubber))
        }
    };
    let newer = status.newer.as_ref().map(|newer| {
        format!(
            "; {0}a newer tree is beside it{0:#}: {1}",
            style::CHANGED,
            escape(&newer.display().to_string())
        )
    });
    let newer = newer.unwrap_or_default();
    let also = match (&status.server, &status.not_checked[..]) {
        (ServerStatus::NotChecked(_), _) | (_, []) => String::new(),
        (_, subjects) => {
            format!("; {0}not checked{0:#}: {1}", style::ERROR, one_line(&names(subjects), scrubber))
        }
    };
    let pending = match (status.running, status.pending) {
        (Some(writer), step) => {
            let process = writer.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
            let step = step.map(|step| format!(", at its step `{}`", step.name())).unwrap_or_default();
            format!("; {0}an apply is running{0:#}{process}{step}", style::CHANGED)
        }
        (None, Some(step)) => {
            let step = step.name();
            format!(
                "; {0}an apply is not finished{0:#}: `kasm-db recover` resumes at its step `{step}`",
                style::CHANGED
            )
        }
        (None, None) => String::new(),
    };
    format!("{files}{pending}; {server}{also}{}{newer}", log(status.log.as_ref()))
}

/// Returns which files of the log are there by other settings than those of now.
fn log(files: Option<&LogFiles>) -> String {
    let Some(files) = files.filter(|files| !files.earlier.is_empty() || !files.other.is_empty()) else {
        return String::new();
    };
    let parts =
        [(files.earlier.len(), "by earlier settings"), (files.other.len(), "by no setting that is known")];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, how)| format!("{number} {how}"))
        .collect();
    format!("; log: {}, {}", count(files.count(), "file", "files"), parts.join(", "))
}

fn names(subjects: &[Subject]) -> String {
    subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns what a difference comes from.
pub(crate) fn words(since: Since) -> &'static str {
    match since {
        Since::NeverApplied => "never applied",
        Since::DocumentAhead => "not applied yet",
        Since::ChangedOutside => "changed outside since the last apply",
    }
}
