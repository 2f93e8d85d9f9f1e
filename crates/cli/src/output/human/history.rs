//! What was applied to a target.

use std::fmt::Write as _;

use commit::Generation;
use ops::history::History;
use ops::note::{Note, NotedChange, NotedDocument, Who};
use render::Target;

use crate::output::time::time;
use crate::output::{count, escape, style};

/// So many changes of a generation are shown without `-v`.
const CHANGES: usize = 5;

/// So many characters of a commit's id are shown without `-v`, as Git does.
const COMMIT: usize = 12;

/// Renders what was applied, the last first; `all` also names the files and digests of each.
pub(crate) fn history(target: &Target, history: &History, all: bool) -> String {
    let mut out = String::new();
    let History { folder, generations, .. } = history;
    let bold = style::BOLD;
    let _ = writeln!(out, "{bold}{}{bold:#} ({})\n", escape(&target.name), escape(folder));
    if generations.is_empty() {
        out.push_str("Nothing was applied yet.\n");
        return out;
    }
    for generation in generations.iter().rev() {
        let Generation { number, files, .. } = generation;
        let files_text = count(files.len(), "file", "files");
        let (what, tool) = (escape(&generation.what), escape(&generation.tool));
        let _ = writeln!(out, "  {number:>4}  {}  {files_text:>8}  {what} ({tool})", time(generation.time));
        if let Some(note) = Note::decode(generation) {
            about(&mut out, &note, all);
        }
        for file in files.iter().filter(|_| all) {
            let dim = style::DIM;
            let how = if file.in_place { " (in place)" } else { "" };
            let path = escape(&file.path.display().to_string());
            let _ = writeln!(out, "        {dim}{path}{how}{dim:#}");
        }
    }
    let first = generations.first().map_or(0, |first| first.number);
    let _ = writeln!(
        out,
        "\n`kasm-db rollback N` restores the files of generation N. The oldest to restore is {}.",
        first.saturating_sub(1)
    );
    out
}

/// Writes who made a generation, why, from which document, and what changed.
fn about(out: &mut String, note: &Note, all: bool) {
    for line in note.message.iter().flat_map(|message| message.lines()) {
        let _ = writeln!(out, "        {}", escape(line));
    }
    who(out, &note.who);
    let commit = note.git_commit.as_deref();
    for (number, document) in note.documents.iter().enumerate() {
        from(out, document, commit.filter(|_| number == 0), all);
    }
    if !note.ignored.is_empty() {
        let _ = writeln!(out, "        ignored warnings: {}", escape(&note.ignored.join(", ")));
    }
    let changes = grouped(&note.changes);
    let shown = if all { changes.len() } else { CHANGES };
    changes.iter().take(shown).for_each(|(change, files)| changed(out, change, *files));
    match changes.len().saturating_sub(shown) + note.changes_left_out {
        0 => {}
        left => {
            let _ = writeln!(out, "        and {}", count(left, "more change", "more changes"));
        }
    }
}

fn who(out: &mut String, who: &Who) {
    out.push_str("        by ");
    user(out, who.name.as_deref(), Some(who.uid));
    if who.sudo_user.is_some() {
        out.push_str(", through sudo by ");
        user(out, who.sudo_user.as_deref(), who.sudo_uid);
    }
    out.push('\n');
}

fn user(out: &mut String, name: Option<&str>, uid: Option<u32>) {
    let _ = match (name, uid) {
        (Some(name), Some(uid)) => write!(out, "{} (user {uid})", escape(name)),
        (Some(name), None) => write!(out, "{}", escape(name)),
        (None, uid) => write!(out, "user {}", uid.unwrap_or_default()),
    };
}

fn from(out: &mut String, document: &NotedDocument, commit: Option<&str>, all: bool) {
    let _ = write!(out, "        from {}", escape(&document.path));
    if let Some(commit) = commit {
        let short = commit.get(..COMMIT).filter(|_| !all).unwrap_or(commit);
        let _ = write!(out, " at commit {}", escape(short));
    }
    if let Some(sha256) = document.sha256.as_ref().filter(|_| all) {
        let _ = write!(out, " (SHA-256 {})", escape(sha256));
    }
    out.push('\n');
}

/// Returns each change once, with the number of files that have it: an image is named in several compose files.
fn grouped(changes: &[NotedChange]) -> Vec<(&NotedChange, usize)> {
    let mut groups: Vec<(&NotedChange, usize)> = Vec::new();
    for change in changes {
        let same = |(other, _): &&mut (&NotedChange, usize)| {
            (&other.subject, &other.before, &other.after) == (&change.subject, &change.before, &change.after)
        };
        match groups.iter_mut().find(same) {
            Some((_, files)) => *files += 1,
            None => groups.push((change, 1)),
        }
    }
    groups
}

fn changed(out: &mut String, change: &NotedChange, files: usize) {
    let value = |value: &Option<String>| value.as_ref().map_or("not set".into(), |value| escape(value));
    let (before, after) = (value(&change.before), value(&change.after));
    let files = if files > 1 { format!(" ({files} files)") } else { String::new() };
    let _ = writeln!(out, "        {}: {before} -> {after}{files}", escape(&change.subject));
}
