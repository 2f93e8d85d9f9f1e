//! Explanations.

use model::Code;
use model::explain::{Field, SettingHelp, Subject};
use model::postgres::Needs;
use schemars::JsonSchema;
use serde::Serialize;

/// What a name may mean; without one, everything that can be explained but settings.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    subject: Option<String>,
    found: Vec<Explained>,
}

/// Something that can be explained.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Explained {
    /// A code of an error or a warning.
    Code {
        id: &'static str,
        name: &'static str,
        title: &'static str,
        why: &'static str,
        what_to_do: &'static str,
        /// What may happen if `--allow` is given its name; null if it cannot be allowed.
        risk: Option<&'static str>,
        example: &'static str,
    },
    /// A key of the document.
    Field {
        path: String,
        description: String,
        takes: String,
        required: bool,
        default: Option<String>,
        values: Vec<String>,
        form: Option<String>,
        examples: Vec<String>,
        keys: Vec<String>,
        /// The setting of pgaudit that it stands for.
        setting: Option<&'static str>,
    },
    /// A setting of PostgreSQL.
    Setting {
        name: &'static str,
        majors: Vec<Majors>,
        /// The key of the document that stands for it.
        field: Option<&'static str>,
        /// The first major that no longer has it.
        gone_since: Option<&'static str>,
        /// What to do instead.
        advice: Option<String>,
    },
}

/// What a setting is in a run of majors.
#[derive(Serialize, JsonSchema)]
struct Majors {
    first: u16,
    last: u16,
    takes: String,
    needs: SettingNeeds,
}

/// What a change of a setting needs.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SettingNeeds {
    /// It cannot be set in a file.
    Impossible,
    Restart,
    Reload,
}

/// What the explanation comes to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    found: usize,
}

/// Returns explanations.
pub(super) fn part(subject: Option<&str>, found: &[Subject]) -> Part {
    let one = |subject: &Subject| match subject {
        Subject::Code(of) => code(*of),
        Subject::Field(of) => field(of),
        Subject::Setting(of) => setting(of),
    };
    let found = match subject {
        Some(_) => found.iter().map(one).collect(),
        None => {
            let codes = Code::ALL.iter().copied().map(code);
            codes.chain(model::explain::fields().iter().map(field)).collect()
        }
    };
    Part { subject: subject.map(String::from), found }
}

impl Part {
    /// Counts what it has.
    pub(super) fn totals(&self) -> Totals {
        Totals { found: self.found.len() }
    }
}

fn code(code: Code) -> Explained {
    Explained::Code {
        id: code.id(),
        name: code.name(),
        title: code.title(),
        why: code.why(),
        what_to_do: code.fix(),
        risk: code.risk(),
        example: code.example(),
    }
}

fn field(field: &Field) -> Explained {
    Explained::Field {
        path: field.path.clone(),
        description: field.description.clone(),
        takes: field.takes.clone(),
        required: field.required,
        default: field.default.clone(),
        values: field.values.clone(),
        form: field.form.clone(),
        examples: field.examples.clone(),
        keys: field.keys.clone(),
        setting: field.pgaudit.map(|row| row.name),
    }
}

fn setting(help: &SettingHelp) -> Explained {
    let majors = help.rows.iter().map(|(first, last, takes, needs)| Majors {
        first: *first,
        last: *last,
        takes: takes.clone(),
        needs: match needs {
            Needs::Impossible => SettingNeeds::Impossible,
            Needs::Restart => SettingNeeds::Restart,
            Needs::Reload => SettingNeeds::Reload,
        },
    });
    Explained::Setting {
        name: help.name,
        majors: majors.collect(),
        field: help.field,
        gone_since: help.gone.map(|gone| gone.since),
        advice: help.gone.map(|gone| gone.advice.to_string()),
    }
}
