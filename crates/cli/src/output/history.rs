//! What was applied, for people and for programs.

use std::fmt::Write as _;

use commit::Generation;
use render::{Target, TargetKind};
use serde::Serialize;

use crate::output::{escape, json, style};

/// Additions raise the second number, anything else the first.
const VERSION: &str = "1.0";

/// A target, its folder, and what was applied to it, the oldest first.
pub(crate) type Applied = (Target, String, Vec<Generation>);

#[derive(Serialize)]
struct History<'a> {
    format: &'static str,
    format_version: &'static str,
    targets: Vec<TargetRow<'a>>,
}

#[derive(Serialize)]
struct TargetRow<'a> {
    name: &'a str,
    kind: &'static str,
    folder: &'a str,
    generations: Vec<GenerationRow<'a>>,
}

#[derive(Serialize)]
struct GenerationRow<'a> {
    generation: u64,
    time: String,
    tool: &'a str,
    what: &'a str,
    files: Vec<FileRow>,
}

#[derive(Serialize)]
struct FileRow {
    path: String,
    in_place: bool,
}

/// Writes the list for programs. Digests stay out: that of a short file with a password in it lets who has it
/// try passwords.
pub(crate) fn json(all: &[Applied]) -> String {
    let targets = all.iter().map(|(target, folder, generations)| TargetRow {
        name: &target.name,
        kind: match target.kind {
            TargetKind::Deployment => "deployment",
            TargetKind::Installer => "installer",
            TargetKind::Files { .. } => "files",
        },
        folder,
        generations: generations.iter().map(row).collect(),
    });
    let history = History { format: "kasm-db/history", format_version: VERSION, targets: targets.collect() };
    json::print(&history)
}

fn row(generation: &Generation) -> GenerationRow<'_> {
    let file =
        |file: &commit::Replaced| FileRow { path: file.path.display().to_string(), in_place: file.in_place };
    GenerationRow {
        generation: generation.number,
        time: time(generation.time),
        tool: &generation.tool,
        what: &generation.what,
        files: generation.files.iter().map(file).collect(),
    }
}

/// Writes the list for people; `all_files` names the files of each.
pub(crate) fn human(all: &[Applied], all_files: bool) -> String {
    let mut out = String::new();
    for (index, (target, folder, generations)) in all.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let bold = style::BOLD;
        let _ = writeln!(out, "{bold}{}{bold:#} ({})\n", escape(&target.name), escape(folder));
        if generations.is_empty() {
            out.push_str("Nothing was applied yet.\n");
            continue;
        }
        for generation in generations.iter().rev() {
            let Generation { number, files, .. } = generation;
            let files_text = super::human::count(files.len(), "file", "files");
            let (what, tool) = (escape(&generation.what), escape(&generation.tool));
            let _ =
                writeln!(out, "  {number:>4}  {}  {files_text:>8}  {what} ({tool})", time(generation.time));
            if all_files {
                let dim = style::DIM;
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
    }
    out
}

/// Writes seconds since 1970 as RFC 3339 has them, in UTC.
fn time(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years of 400 begin on 1 March of the year 0, so that the leap day is the last of a year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let year = year + era * 400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_785_000_000, "2026-07-25T17:20:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
