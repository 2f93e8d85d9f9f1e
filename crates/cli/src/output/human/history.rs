//! What was applied to a target.

use std::fmt::Write as _;

use commit::Generation;
use ops::history::History;
use ops::note::{Note, NotedDocument, Who};
use render::Target;

use crate::output::time::time;
use crate::output::{count, escape, style};

/// Renders what was applied, the last first; `all_files` names the files of each.
pub(crate) fn history(target: &Target, history: &History, all_files: bool) -> String {
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
        if all_files {
            let dim = style::DIM;
            if let Some(note) = Note::decode(generation) {
                who(&mut out, &note.who);
                note.documents.iter().for_each(|document| from(&mut out, document));
            }
            for file in files {
                let how = if file.in_place { " (in place)" } else { "" };
                let path = escape(&file.path.display().to_string());
                let _ = writeln!(out, "        {dim}{path}{how}{dim:#}");
            }
        }
    }
    let first = generations.first().map_or(0, |first| first.number);
    let _ = writeln!(
        out,
        "\n`kasm-db rollback N` goes back to what generation N left; {} is before the first one here.",
        first.saturating_sub(1)
    );
    out
}

fn who(out: &mut String, who: &Who) {
    out.push_str("        by ");
    user(out, who.name.as_deref(), Some(who.uid));
    if who.sudo_user.is_some() {
        out.push_str(", by sudo of ");
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

fn from(out: &mut String, document: &NotedDocument) {
    let _ = write!(out, "        from {}", escape(&document.path));
    if let Some(sha256) = &document.sha256 {
        let _ = write!(out, " (SHA-256 {})", escape(sha256));
    }
    out.push('\n');
}
