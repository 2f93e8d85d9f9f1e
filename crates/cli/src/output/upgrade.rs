//! The path of an upgrade, for people and as Markdown.

use std::fmt::Write as _;

use ops::upgrade::{Side, UpgradePath};
use ops::{Error, Outcome, TargetName};

use super::emitter::Emitter;
use super::sink::Sink;
use super::{escape, style};

/// Writes the paths as a page to keep or to paste.
pub(super) struct Markdown {
    sink: Sink,
    text: String,
}

impl Markdown {
    /// Starts a page.
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, text: String::new() }
    }
}

impl Emitter for Markdown {
    fn upgrade(&mut self, name: &TargetName, path: &UpgradePath) -> Result<(), Error> {
        self.text.push_str(&markdown(name, path));
        Ok(())
    }

    fn end(&mut self, _: Outcome) -> Result<(), Error> {
        self.sink.text(&self.text)?;
        self.sink.complete();
        self.sink.end()
    }
}

/// Describes a path for people.
pub(super) fn text(name: &TargetName, path: &UpgradePath) -> String {
    let bold = style::BOLD;
    let mut out = format!("{bold}{}{bold:#}: {}\n", escape(&name.target), escape(&summary(path)));
    for (index, step) in path.steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "\n{bold}{}. {}{bold:#}\n   {}\n",
            index + 1,
            escape(&step.title),
            escape(&step.why)
        );
        for command in &step.commands {
            let _ = writeln!(out, "     {}", escape(command));
        }
        out.push('\n');
        for risk in &step.risks {
            let _ = writeln!(out, "   If {}: {}.", escape(&risk.what), escape(&risk.help));
        }
        let _ = writeln!(out, "   Back: {}", escape(&step.back));
    }
    out
}

fn markdown(name: &TargetName, path: &UpgradePath) -> String {
    let mut out = format!("# Upgrade of {}\n\n{}\n", escape(&name.target), escape(&summary(path)));
    for (index, step) in path.steps.iter().enumerate() {
        let _ =
            writeln!(out, "\n## {}. {}\n\n{}\n\n```sh", index + 1, escape(&step.title), escape(&step.why));
        for command in &step.commands {
            let _ = writeln!(out, "{}", escape(command));
        }
        out.push_str("```\n\n");
        for risk in &step.risks {
            let _ = writeln!(out, "- If {}: {}.", escape(&risk.what), escape(&risk.help));
        }
        let _ = writeln!(out, "- Back: {}", escape(&step.back));
    }
    out
}

fn summary(path: &UpgradePath) -> String {
    format!("{}: from {} to {}.", path.folder, side(&path.from), side(&path.to))
}

fn side(side: &Side) -> String {
    let parts = [
        side.release.as_ref().map(|release| format!("Kasm {release}")),
        side.postgres.as_ref().map(|postgres| format!("PostgreSQL {postgres}")),
        side.image.as_ref().map(|image| format!("image {image}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "what is not known".into() } else { parts.join(", ") }
}
