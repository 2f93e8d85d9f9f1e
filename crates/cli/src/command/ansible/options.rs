//! The options of the Ansible module, as Ansible hands them over: a JSON object in a file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Written;
use model::document::Policy;
use ops::{Error, Selection, use_or};
use serde_json::{Map, Value};

use crate::output::emitter::{Asked, State};

/// The most bytes that the file may have: a document may have one MiB, and more as JSON.
const LIMIT: u64 = 4 << 20;

/// The most bytes that a message of the history has.
const MESSAGE: usize = 4096;

/// Every option, in the order of the documentation.
const OPTIONS: [&str; 9] =
    ["config", "document", "target", "root", "state", "allow", "restart", "message", "show_secrets"];

/// The options of one task.
#[derive(Debug)]
pub(super) struct Options {
    /// What is to be done, and what the reply is to have.
    pub(super) asked: Asked,
    /// The path of the document.
    pub(super) config: Option<PathBuf>,
    /// The document itself, as YAML.
    pub(super) text: Option<Arc<str>>,
    pub(super) target: Vec<String>,
    pub(super) root: Option<PathBuf>,
    pub(super) allow: Vec<String>,
    pub(super) restart: Option<Policy>,
    pub(super) message: Option<String>,
}

impl Options {
    /// Reads the options from a file.
    ///
    /// # Errors
    /// The file cannot be read. Or options are missing, unknown or wrong: all of them are in one error.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display();
        let failed =
            |error| Error::of_system(format!("{name}: cannot read the arguments of the module"), &error);
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(failed)?;
        if bytes.len() as u64 > LIMIT {
            return Err(Error::usage(format!("{name}: the arguments of the module have more than 4 MiB")));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(all)) => Self::of(all),
            // What the parser says could quote the file, which may be any other.
            _ => Err(Error::usage(format!("{name}: the arguments of the module are not a JSON object"))
                .help("this command is for Ansible; people use `kasm-db plan` and `kasm-db apply`")),
        }
    }

    fn of(all: Map<String, Value>) -> Result<Self, Error> {
        let mut given = Given { all, errors: Vec::new() };
        given.refuse_unknown();
        let options = Self {
            asked: Asked {
                state: given
                    .one_of("state", &State::ALL.map(|state| (state.name(), state)))
                    .unwrap_or_default(),
                // Whatever is not a plain no must not write.
                check: given.is_on("_ansible_check_mode"),
                diff: given.is_on("_ansible_diff"),
                leaves_restart: false,
            },
            config: given.path("config"),
            text: given.document(),
            target: given.texts("target"),
            root: given.path("root"),
            allow: given.texts("allow"),
            restart: given.one_of("restart", &[("never", Policy::Never), ("if_needed", Policy::IfNeeded)]),
            message: given.message(),
        };
        given.refuse_secrets();
        given.check_source();
        given.check_allowed(&options.allow);
        let leaves_restart = options.restart == Some(Policy::Never);
        match Error::all(given.errors) {
            Some(error) => Err(error),
            None => Ok(Self { asked: Asked { leaves_restart, ..options.asked }, ..options }),
        }
    }
}

/// The options as they came, and what is wrong with them.
struct Given {
    all: Map<String, Value>,
    errors: Vec<Error>,
}

impl Given {
    /// Returns an option; null is the same as none, as Ansible has it.
    fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&mut self, error: impl Into<String>, help: impl Into<String>) {
        self.errors.push(Error::usage(error).help(help));
    }

    /// Adds the error of an option of another type.
    fn is_no(&mut self, name: &str, wanted: &str) {
        let found = match self.all.get(name) {
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "a string",
            Some(Value::Array(_)) => "a list",
            Some(Value::Object(_)) => "a mapping",
            Some(Value::Null) | None => "null",
        };
        self.wrong(format!("the option `{name}` is {found}"), format!("use {wanted}"));
    }

    /// Returns whether Ansible has switched something on.
    fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| *value != Value::Bool(false))
    }

    fn refuse_unknown(&mut self) {
        if self.is_on("_ansible_ignore_unknown_opts") {
            return;
        }
        let is_known = |name: &str| name.starts_with("_ansible_") || OPTIONS.contains(&name);
        let unknown: Vec<_> = self.all.keys().filter(|name| !is_known(name)).cloned().collect();
        for name in unknown {
            let meant: Vec<_> = model::nearest(&name, OPTIONS).into_iter().collect();
            let help = match meant.is_empty() {
                true => format!("use one of: {}", OPTIONS.join(", ")),
                false => use_or("options", &meant, &OPTIONS),
            };
            self.wrong(format!("unknown option `{name}`"), help);
        }
    }

    fn text(&mut self, name: &str, wanted: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.is_no(name, wanted);
                None
            }
        }
    }

    /// Returns a path. Ansible promises nothing of the folder that a module runs in.
    fn path(&mut self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(name, "an absolute path")?);
        if !path.is_absolute() {
            let message = format!("the option `{name}` is not an absolute path: {}", path.display());
            self.wrong(message, "write the whole path on the host, such as /etc/kasm-db/kasm-db.yaml");
        }
        Some(path)
    }

    fn one_of<T: Copy>(&mut self, name: &str, known: &[(&str, T)]) -> Option<T> {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        let wanted = format!("one of: {}", names.join(", "));
        let text = self.text(name, &wanted)?;
        let found = known.iter().find(|(known, _)| *known == text).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(format!("the option `{name}` cannot be `{text}`"), format!("use {wanted}"));
        }
        found
    }

    /// Returns a list of texts; one text is a list, too, and commas divide it as Ansible does.
    fn texts(&mut self, name: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().map(String::from);
        let texts = match self.get(name) {
            None => return Vec::new(),
            Some(Value::String(text)) => Some(text.split(',').map(|part| part.trim().to_string()).collect()),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(_) => None,
        };
        let texts = texts.filter(|texts: &Vec<String>| !texts.iter().any(String::is_empty));
        if texts.is_none() {
            self.is_no(name, "a list of names");
        }
        texts.unwrap_or_default()
    }

    /// Returns the document as YAML, so that errors have lines.
    fn document(&mut self) -> Option<Arc<str>> {
        let Value::Object(document) = self.get("document")? else {
            self.is_no("document", "a mapping: the document itself");
            return None;
        };
        let mut written = Written::default();
        document.iter().for_each(|(key, value)| written.field(key, value));
        let extends = document.contains_key("extends");
        let text = written.text().into();
        if extends {
            let help = "merge variables of Ansible instead, or use `config`";
            self.wrong("a document in the option `document` cannot extend another one", help);
        }
        Some(text)
    }

    fn message(&mut self) -> Option<String> {
        let text = self.text("message", "a text")?.trim().to_string();
        if text.is_empty() || text.len() > MESSAGE {
            self.wrong("the option `message` is empty or too long", format!("use at most {MESSAGE} bytes"));
        }
        Some(text)
    }

    /// What a module returns is shown, logged and kept by the controller.
    fn refuse_secrets(&mut self) {
        let is_off = match self.get("show_secrets") {
            None | Some(Value::Bool(false)) => true,
            Some(Value::String(text)) => {
                ["no", "false", "off", "n", "0"].contains(&text.to_lowercase().as_str())
            }
            Some(_) => false,
        };
        if !is_off {
            let help = "remove it, and run `kasm-db plan --show-secrets` on the host";
            self.wrong("the option `show_secrets` cannot be true: Ansible logs what a module returns", help);
        }
    }

    fn check_source(&mut self) {
        let (config, document) = (self.get("config").is_some(), self.get("document").is_some());
        if config && document {
            self.wrong("the options `config` and `document` exclude each other", "remove one of them");
        }
        if !config && !document {
            let help = "name a document on the host with `config`, or write it into `document`";
            self.wrong("one of the options `config` and `document` is required", help);
        }
    }

    fn check_allowed(&mut self, names: &[String]) {
        for name in names {
            let one = Selection { allow: vec![name.clone()], ..Selection::default() };
            if let Err(error) = one.check_allowed() {
                let error = Error {
                    message: format!("the option `allow` has the unknown blocker `{name}`"),
                    ..error
                };
                self.errors.push(error);
            }
        }
    }
}
