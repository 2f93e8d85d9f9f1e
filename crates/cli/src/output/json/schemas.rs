//! The JSON Schemas of everything that is written for programs, made from the structs that are written.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::envelope::DocumentRow;
use super::part::List;
use super::problem::Problem;
use super::target::Row;
use super::words::Outcome;
use super::{
    ansible, apply, build, entries, events, explain, history, import, inspect, plan, recover, render,
    resolve, rollback, schema, show, status, upgrade, validate, verify,
};
use crate::output::report::Report;

/// The schema of the document itself, by which `schema` alone prints it.
pub(crate) const DOCUMENT: &str = "document";

/// One line of audit entries.
const ENTRY: &str = "audit-entry";

/// One line of what an apply does.
const EVENT: &str = "apply-event";

/// The reply of the Ansible module.
const MODULE: &str = "ansible";

/// Lists the names of all schemas, that of the document first.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    [DOCUMENT, ENTRY, EVENT, MODULE].into_iter().chain(Report::ALL.iter().map(|report| report.name()))
}

/// Returns a schema by its name.
pub(crate) fn schema(name: &str) -> Option<Value> {
    match name {
        DOCUMENT => Some(model::schema::for_editors()),
        ENTRY => Some(entry()),
        EVENT => Some(event()),
        MODULE => Some(module()),
        _ => Report::ALL.iter().find(|report| report.name() == name).map(|report| envelope(*report)),
    }
}

/// Writes a schema as it is committed in `schemas/`.
pub(crate) fn text(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The properties of an object, in their order; all of them are always there.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn add(&mut self, name: &str, schema: impl Into<Value>) {
        self.0.insert(name.to_string(), schema.into());
    }

    /// Adds the members of a struct.
    fn add_all<T: JsonSchema>(&mut self, generator: &mut SchemaGenerator) {
        let schema = T::json_schema(generator).to_value();
        if let Some(Value::Object(properties)) = schema.get("properties") {
            self.0.extend(properties.clone());
        }
    }

    fn list<T: JsonSchema>(&mut self, name: &str, about: &str, generator: &mut SchemaGenerator) {
        let items = generator.subschema_for::<T>().to_value();
        self.add(name, json!({"description": about, "type": "array", "items": items}));
    }

    fn schema(self, title: &str, about: &str, generator: &mut SchemaGenerator) -> Value {
        let required: Vec<_> = self.0.keys().cloned().collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            "description": about,
            "type": "object",
            "properties": self.0,
            "required": required,
            "$defs": generator.take_definitions(true),
        })
    }
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn envelope(report: Report) -> Value {
    let mut generator = generator();
    let name = format!("kasm-db/{}", report.name());
    let mut members = Members::default();
    members.add("format", json!({"const": name}));
    members.add("format_version", version());
    members.add("kasm_db_version", json!({"type": "string"}));
    let totals = own(report, &mut members, &mut generator);
    if List::of(report) == Some(List::Targets) {
        members.list::<DocumentRow>("documents", "The documents that the run read", &mut generator);
    }
    members.add("totals", totals);
    let about = "Everything that is wrong; what is wrong with a target is in its row as well";
    members.list::<Problem>("errors", about, &mut generator);
    members.list::<Problem>("warnings", "Everything that somebody should know", &mut generator);
    members.add("outcome", generator.subschema_for::<Outcome>());
    let about = "The exit code of the process";
    members.add("exit_code", json!({"description": about, "type": "integer", "minimum": 0, "maximum": 255}));
    members.schema(&name, &about_of(report), &mut generator)
}

fn version() -> Value {
    let about = "Additions raise the second number, anything else the first";
    json!({"description": about, "type": "string", "pattern": "^2\\.[0-9]+$"})
}

/// Adds what a command says of its own; returns the schema of its totals.
fn own(report: Report, members: &mut Members, generator: &mut SchemaGenerator) -> Value {
    let targets = "A row for each target. One without a name stands for the targets of a document that cannot be \
                   read or is not valid";
    let documents = "A row for each document";
    let counts = "How often each came";
    macro_rules! rows {
        ($list:literal, $about:expr, $row:ty, $totals:ty) => {{
            members.list::<$row>($list, $about, generator);
            generator.subschema_for::<$totals>()
        }};
    }
    macro_rules! part {
        ($part:ty, $totals:ty) => {{
            members.add_all::<$part>(generator);
            generator.subschema_for::<$totals>()
        }};
    }
    let totals = match report {
        Report::Plan => rows!("targets", targets, Row<plan::Part>, plan::Totals),
        Report::Show => {
            let totals = rows!("targets", targets, Row<plan::Part>, plan::Totals);
            members.add_all::<show::Part>(generator);
            totals
        }
        Report::Validate => rows!("documents", documents, validate::Row, validate::Totals),
        Report::Apply => rows!("targets", targets, Row<apply::Part>, apply::Totals),
        Report::ApplyEvents => generator.subschema_for::<apply::Totals>(),
        Report::Status => rows!("targets", targets, Row<status::Part>, status::Totals),
        Report::Verify => rows!("targets", targets, Row<verify::Part>, verify::Totals),
        Report::History => rows!("targets", targets, Row<history::Part>, history::Totals),
        Report::Rollback => rows!("targets", targets, Row<rollback::Part>, rollback::Totals),
        Report::Recover => rows!("targets", targets, Row<recover::Part>, recover::Totals),
        Report::Render => rows!("documents", documents, render::Row, render::Totals),
        Report::Build => rows!("documents", documents, build::Row, build::Totals),
        Report::Import => part!(import::Part, import::Totals),
        Report::AuditEntries => generator.subschema_for::<entries::Totals>(),
        Report::AuditCount => {
            let totals = rows!("counts", counts, entries::Count, entries::Totals);
            members.add_all::<entries::Counted>(generator);
            totals
        }
        Report::AuditSummary => {
            let totals = rows!("counts", counts, entries::Count, entries::Totals);
            members.add_all::<entries::Span>(generator);
            totals
        }
        Report::Explain => part!(explain::Part, explain::Totals),
        Report::Resolve => part!(resolve::Part, resolve::Totals),
        Report::Inspect => part!(inspect::Part, inspect::Totals),
        Report::UpgradePlan => rows!("targets", targets, Row<upgrade::Part>, upgrade::Totals),
        Report::Schema => part!(schema::Part, schema::Totals),
    };
    totals.to_value()
}

fn about_of(report: Report) -> String {
    let (what, format) = match report {
        Report::AuditEntries => ("The last line of what", "json"),
        Report::ApplyEvents => ("The last line of what", "json-lines"),
        _ => ("What", "json"),
    };
    format!("{what} `kasm-db {} --format {format}` prints", report.command())
}

fn event() -> Value {
    let mut generator = generator();
    let mut members = Members::default();
    members.add_all::<events::Line>(&mut generator);
    members.add("format", json!({"const": "kasm-db/apply-event"}));
    members.add("format_version", version());
    let about =
        "A line of what `kasm-db apply --format json-lines` prints; the last one is a `kasm-db/apply-end`";
    members.schema("kasm-db/apply-event", about, &mut generator)
}

fn entry() -> Value {
    let mut generator = generator();
    let mut members = Members::default();
    members.add_all::<entries::Line<'static>>(&mut generator);
    members.add("format", json!({"const": "kasm-db/audit-entry"}));
    members.add("format_version", version());
    let about = "A line of what `kasm-db audit --format json` prints; the last one is a `kasm-db/audit-end`";
    members.schema("kasm-db/audit-entry", about, &mut generator)
}

fn module() -> Value {
    let mut generator = generator();
    let mut members = Members::default();
    members.add_all::<ansible::Reply>(&mut generator);
    members.add("format", json!({"const": "kasm-db/ansible"}));
    members.add("format_version", version());
    // It is there if Ansible asks for it.
    let mut schema = members.schema(
        "kasm-db/ansible",
        "What `kasm-db ansible` replies to a task of Ansible",
        &mut generator,
    );
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != "diff");
    }
    schema
}
