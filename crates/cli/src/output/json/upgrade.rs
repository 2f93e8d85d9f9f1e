//! The path of an upgrade.

use ops::TargetName;
use ops::upgrade::{Kind, Side, UpgradePath};
use schemars::JsonSchema;
use serde::Serialize;

use super::target::{Row, Sum};
use super::words::Outcome;

/// The path of a target.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct Part {
    /// What is upgraded; null if there is no path.
    upgrades: Option<Upgrades>,
    from: Option<End>,
    to: Option<End>,
    /// What to do, in this order.
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Upgrades {
    /// Kasm, which installs a tree and a volume of its own.
    KasmRelease,
    /// PostgreSQL alone.
    PostgresMajor,
}

/// Where the path starts or ends; what is not known is null.
#[derive(Serialize, JsonSchema)]
struct End {
    kasm_release: Option<String>,
    image: Option<String>,
    postgres_major: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Step {
    title: String,
    why: String,
    /// What to run, in this order.
    commands: Vec<String>,
    /// What can go wrong.
    risks: Vec<Risk>,
    /// How to get back from here.
    back: String,
}

#[derive(Serialize, JsonSchema)]
struct Risk {
    what: String,
    help: String,
}

/// What the paths come to.
#[derive(Clone, Copy, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    targets: usize,
    steps: usize,
}

impl Sum for Totals {
    type Row = Row<Part>;

    fn add(&mut self, row: &Self::Row) {
        self.targets += 1;
        self.steps += row.own.steps.len();
    }
}

/// Returns the row of a target.
pub(super) fn row(name: &TargetName, path: &UpgradePath) -> Row<Part> {
    let end = |side: &Side| End {
        kasm_release: side.release.clone(),
        image: side.image.clone(),
        postgres_major: side.postgres.clone(),
    };
    let steps = path.steps.iter().map(|step| Step {
        title: step.title.clone(),
        why: step.why.clone(),
        commands: step.commands.clone(),
        risks: step
            .risks
            .iter()
            .map(|risk| Risk { what: risk.what.clone(), help: risk.help.clone() })
            .collect(),
        back: step.back.clone(),
    });
    let own = Part {
        upgrades: Some(match path.kind {
            Kind::Release => Upgrades::KasmRelease,
            Kind::Major => Upgrades::PostgresMajor,
        }),
        from: Some(end(&path.from)),
        to: Some(end(&path.to)),
        steps: steps.collect(),
    };
    Row { folder: Some(path.folder.clone()), outcome: Some(Outcome::Done), own, ..Row::named(name) }
}
