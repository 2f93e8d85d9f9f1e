//! Values of every setting that a major has: what the program refuses, a plan must be refused for.

use std::collections::BTreeSet;

use kasm_db_render::{observe, reconcile};
use model::Code;
use pgconf::value::Type;
use testing::postgres::{Cluster, lossy};
use testing::{Memory, desired, files};

use crate::reading::Reader;

/// What the server says of one of its settings.
struct Setting {
    name: String,
    min: String,
    max: String,
    boot: String,
    values: Vec<String>,
}

/// Spellings that go into every setting, whatever its type.
const PROBES: &[&str] = &[
    "on",
    "off",
    "TRUE",
    "fAlSe",
    "o",
    "of",
    "t",
    "ye",
    "yes",
    "n",
    "1",
    "0",
    "2",
    "-1",
    "-2",
    "+1",
    "--1",
    " on ",
    " 1 ",
    "",
    " ",
    "banana",
    "1.5",
    "1.4",
    "0.5",
    "-0.5",
    "1e1",
    "1e-1",
    ".5",
    "5.",
    "0x10",
    "0X1F",
    "0x",
    "010",
    "08",
    "1e400",
    "-1e400",
    "1e",
    "1_000",
    "1,5",
    "1kB",
    "1 kB",
    "1\tkB",
    "1KB",
    "1kb",
    "1MB",
    "1GB",
    "1TB",
    "1B",
    "1023B",
    "1024B",
    "1ms",
    "1s",
    "1min",
    "1 h ",
    "1d",
    "1us",
    "1D",
    "0.5min",
    "1.1kB",
    "1MBx",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "100",
    "512",
    "65535",
    "65536",
    "8192",
    "131072",
    "1048576",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "16GB",
    "2TB",
    "1000000h",
    "24d",
    "25d",
    "debug",
    "ALL",
    "none",
    "local",
    "0x1p3",
    "0x1.8",
    "1e+2",
    "0xFFFFFFFF",
    "00",
    "-0",
    "0.0",
    "0.0000001",
    "1.0",
    "99.999",
    "stderr",
    "csvlog, jsonlog",
    "127",
    "128",
    "24",
];

/// Probes that stand for a value of the setting's own.
const OWN: usize = 9;

impl Setting {
    fn own(&self, number: usize) -> Option<String> {
        let beyond = |limit: &str, by: i64| limit.parse::<i64>().ok().map(|limit| (limit + by).to_string());
        match number {
            0 => Some(self.min.clone()).filter(|value| !value.is_empty()),
            1 => Some(self.max.clone()).filter(|value| !value.is_empty()),
            2 => beyond(&self.min, -1),
            3 => beyond(&self.max, 1),
            4 => self.values.first().cloned(),
            5 => self.values.last().map(|value| value.to_ascii_uppercase()),
            6 => self.values.last().map(|value| format!("{value} ")),
            7 => Some(self.boot.clone()),
            _ => self.values.get(1).map(|value| value[..value.len() - 1].to_string()),
        }
    }
}

/// What all probes came to.
#[derive(Default)]
pub(crate) struct Values {
    pub(crate) probed: usize,
    pub(crate) refused: usize,
    /// Refused by a hook of the server, with a reason below.
    pub(crate) hooks: BTreeSet<String>,
    pub(crate) failures: Vec<String>,
}

/// Probes every setting; one file holds one value of each, and the program names all that it refuses.
pub(crate) fn values(reader: &mut Reader<'_>, cluster: &Cluster, major: u16) -> Values {
    let settings = settings(reader);
    let mut all = Values::default();
    let fixed =
        PROBES.iter().map(|probe| settings.iter().map(|s| (s, (*probe).to_string())).collect::<Vec<_>>());
    let own = (0..OWN).map(|number| settings.iter().filter_map(|s| Some((s, s.own(number)?))).collect());
    for probes in fixed.chain(own) {
        probe(&probes, cluster, major, &mut all);
    }
    all
}

fn probe(probes: &[(&Setting, String)], cluster: &Cluster, major: u16, all: &mut Values) {
    let mut text = String::new();
    for (setting, value) in probes {
        let quoted = pgconf::encode(value.as_bytes()).unwrap();
        text += &format!("{} = {}\n", setting.name, lossy(&quoted));
    }
    let files = Memory([("postgresql.conf".to_string(), text.into_bytes())].into());
    let ours = refused(&files, major);
    cluster.stage(&files);
    let complaints = cluster.setting("shared_preload_libraries", &[]).err().unwrap_or_default();
    if !complaints.last().is_none_or(|line| line.ends_with("contains errors")) {
        all.failures.push(format!("the server does not look at all values: {:?}", complaints.last()));
        return;
    }
    let theirs: BTreeSet<_> = complaints.iter().filter_map(|line| parameter(line)).collect();
    all.probed += probes.len();
    all.refused += theirs.len();
    for (setting, value) in probes {
        let name = setting.name.to_ascii_lowercase();
        let (ours, theirs) = (ours.contains(&name), theirs.contains(&name));
        let is_text = model::postgres::lookup(&name, major).is_some_and(|row| row.value == Type::String);
        if theirs && !ours && (is_text || HOOKS.iter().any(|(hook, _)| *hook == name)) {
            all.hooks.insert(name);
        } else if ours != theirs {
            let who = if ours { "only the plan" } else { "only the server" };
            let said = complaints.iter().find(|line| parameter(line).as_ref() == Some(&name));
            all.failures.push(format!("{who} refuses `{name}` = {value:?} {}", said.map_or("", |s| s)));
        }
    }
}

/// Settings whose values the server checks against its host, its build or each other.
const HOOKS: &[(&str, &str)] = &[
    ("log_statement_stats", "excludes the other settings of its kind"),
    ("max_stack_depth", "is held against the limit of the process"),
    ("max_connections", "with other processes at most 262143"),
    ("max_wal_senders", "with other processes at most 262143"),
    ("max_worker_processes", "with other processes at most 262143"),
    ("autovacuum_max_workers", "with other processes at most 262143"),
];

/// Returns the settings for whose values a plan is refused.
fn refused(files: &Memory, major: u16) -> BTreeSet<String> {
    let text = format!("schema: kasm-db/v1\npostgres_major: {major}\nsettings: {{kasm.probe: 1}}\n");
    let target = self::files(&[], Some("postgresql.conf"), None);
    let plan = reconcile(&desired(&text), &observe(&target, files));
    let findings = plan.findings.iter().filter(|finding| finding.code == Code::ConfValue);
    findings.filter_map(|finding| finding.message.split('`').nth(1)).map(str::to_ascii_lowercase).collect()
}

/// Returns the setting that a line of the log is about.
fn parameter(line: &str) -> Option<String> {
    line.split_once("parameter \"")?.1.split('"').next().map(str::to_ascii_lowercase)
}

/// Returns the settings but those of which a server takes only one at a time, and ends at the second.
fn settings(reader: &mut Reader<'_>) -> Vec<Setting> {
    let sql = "select name, min_val, max_val, boot_val, array_to_string(enumvals, ',') from pg_settings
               where name not like '%.%' and name !~ '^recovery_target(_lsn|_name|_time|_xid)?$' order by name";
    let rows = reader.server.client().query(sql).unwrap().into_iter();
    rows.map(|row| {
        let texts = row.into_iter().map(|value| lossy(&value.unwrap_or_default())).collect::<Vec<_>>();
        let [name, min, max, boot, values] = <[String; 5]>::try_from(texts).unwrap();
        let values = values.split(',').filter(|value| !value.is_empty()).map(String::from).collect();
        Setting { name, min, max, boot, values }
    })
    .collect()
}

/// Values that a start is tried with, each in a file of its own.
const STARTS: &[(&str, &str)] = &[
    ("work_mem", "'8mb'"),
    ("work_mem", "'8 MB'"),
    ("work_mem", "63kB"),
    ("work_mem", "64kB"),
    ("max_connections", "0"),
    ("max_connections", "0x20"),
    ("fsync", "maybe"),
    ("fsync", "Of"),
    ("wal_level", "mini"),
    ("wal_level", "Logical"),
    ("random_page_cost", "'-1'"),
    ("random_page_cost", "1e0"),
    ("server_version", "15"),
    ("checkpoint_timeout", "1.5min"),
    ("checkpoint_timeout", "'1.5min'"),
    ("sort_mem", "1MB"),
    ("sort_mem", "1mb"),
    ("no_such_setting", "1"),
];

/// Starts a server on each value; gives how many came up and what a plan says otherwise.
pub(crate) fn starts(cluster: &Cluster, major: u16) -> (usize, Vec<String>) {
    let (mut up, mut failures) = (0, Vec::new());
    for (name, value) in STARTS {
        let files =
            Memory([("postgresql.conf".to_string(), format!("{name} = {value}\n").into_bytes())].into());
        let text = format!("schema: kasm-db/v1\npostgres_major: {major}\nsettings: {{kasm.probe: 1}}\n");
        let target = self::files(&[], Some("postgresql.conf"), None);
        let goes_on = !reconcile(&desired(&text), &observe(&target, &files)).is_blocked();
        cluster.stage(&files);
        let starts = cluster.start(&[]).map(drop);
        up += usize::from(starts.is_ok());
        if goes_on != starts.is_ok() {
            failures.push(format!("{name} = {value}: the plan continues: {goes_on}, the start: {starts:?}"));
        }
    }
    (up, failures)
}
