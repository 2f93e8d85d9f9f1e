//! What is wrong with a command line, in the words of all other errors.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use model::nearest;
use ops::{Error, Outcome};

use crate::exit::Exit;
use crate::output::{self, Color, Terminal};
use crate::{args, command};

/// Returns what clap has against a command line, or prints help and version. Clap's own exit code for a usage error is 2,
/// which here means "differences".
pub(crate) fn tell(error: &clap::Error) -> Exit {
    let terminal = Terminal::new(Color::Auto, false, false);
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        terminal.note(&said(error));
        return Outcome::Usage.into();
    }
    if error.exit_code() != 0 {
        terminal.error(&worded(error));
        return Outcome::Usage.into();
    }
    // Help and version are results, with all that goes with one.
    ended(terminal, terminal.result(&said(error)).map(|()| Outcome::Done))
}

/// Prints the version if that is all that the command line asks for: scripts ask each of many hosts, and the parser needs not be told
/// of all commands for it.
pub(crate) fn version() -> Option<Exit> {
    let mut arguments = std::env::args_os().skip(1);
    let is_asked = arguments.next().is_some_and(|argument| argument == "--version" || argument == "-V");
    if !is_asked || arguments.next().is_some() {
        return None;
    }
    let terminal = Terminal::new(Color::Auto, false, false);
    Some(ended(terminal, command::version::run(&terminal)))
}

fn ended(terminal: Terminal, printed: Result<Outcome, Error>) -> Exit {
    printed.map_or_else(
        |error| {
            terminal.error(&error);
            Exit::from(&error)
        },
        Exit::from,
    )
}

/// What people call commands, the commands, and what they are for.
const OTHER_NAMES: &[(&[&str], &str, &str)] = &[
    (&["init", "generate", "create", "new"], "import", "write a document from a deployment"),
    (&["check", "lint", "test"], "validate", "check a document"),
    (&["deploy", "up", "run", "install", "upgrade", "set"], "apply", "apply a document"),
    (&["undo", "revert", "restore"], "rollback", "go back to an earlier generation"),
    (&["log", "logs"], "audit", "show the audit log"),
    (&["ls", "list", "ps", "drift"], "status", "show the state of every target"),
    (&["config", "get"], "show", "show a saved plan"),
];

/// Returns the error in our own words.
fn worded(error: &clap::Error) -> Error {
    let context = Context(error);
    let command = command(error);
    let options = format!("run `{command} --help` for its options");
    let argument = || context.text(ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = context.text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let definition = args::definition();
            let names: Vec<_> = definition.get_subcommands().map(clap::Command::get_name).collect();
            let other = OTHER_NAMES.iter().find(|(others, ..)| others.contains(&name.as_str()));
            let first = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
            let help = if first.is_some_and(|first| first == "help") { "help " } else { "" };
            Error::usage(format!("unknown command `{name}`")).help(match (nearest(&name, names), other) {
                (Some(meant), _) => {
                    format!("run `kasm-db {help}{meant}`, or `kasm-db --help` for all commands")
                }
                (None, Some((_, command, what))) => {
                    format!("run `kasm-db {help}{command}` to {what}, or `kasm-db --help` for all commands")
                }
                (None, None) => "run `kasm-db --help` for all commands".to_string(),
            })
        }
        ErrorKind::UnknownArgument => {
            let name = argument();
            let Some(option) = name.strip_prefix('-') else {
                return Error::usage(format!("unexpected argument `{name}`"))
                    .help(format!("remove it, or run `{command} --help` for what can be given"));
            };
            let meant = context.text(ContextKind::SuggestedArg).filter(|_| option.starts_with('-'));
            Error::usage(format!("unknown option `{name}` for `{command}`")).help(match meant {
                Some(meant) => format!("use `{meant}`, or {options}"),
                None => options,
            })
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => invalid_value(error, &options),
        ErrorKind::ArgumentConflict if error.context().next().is_some() => {
            let (name, others) = (argument(), context.texts(ContextKind::PriorArg));
            let (name, others): (_, Vec<_>) = (bare(&name), others.iter().map(|other| bare(other)).collect());
            let message = if others.is_empty() || others == [name] {
                format!("`{name}` is given more than once")
            } else {
                format!("`{name}` cannot be used together with `{}`", others.join("`, `"))
            };
            Error::usage(message).help("remove one of them")
        }
        ErrorKind::MissingRequiredArgument if error.context().next().is_some() => {
            let missing = context.texts(ContextKind::InvalidArg);
            let missing: Vec<_> = missing.iter().map(|name| bare(name)).collect();
            let help = match missing[..] {
                ["PLAN"] => {
                    format!("name a plan saved with `kasm-db plan --out FILE`, as in `{command} plan.json`")
                }
                _ => format!("add it; `{command} --help` says what it is"),
            };
            Error::usage(format!("the argument `{}` of `{command}` is missing", missing.join("`, `")))
                .help(help)
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let useless = first.strip_prefix("the option `").and_then(|rest| rest.split_once('`'));
            Error::usage(first).help(match useless {
                Some((option, _)) => format!("remove `{option}`"),
                None => options,
            })
        }
    }
}

/// Words the error of a value: the option without its placeholder, where the value comes from, and what may be given.
fn invalid_value(error: &clap::Error, options: &str) -> Error {
    let context = Context(error);
    let argument = context.text(ContextKind::InvalidArg).unwrap_or_default();
    let name = bare(&argument);
    let value = context.text(ContextKind::InvalidValue).unwrap_or_default();
    if value.is_empty() && error.kind() == ErrorKind::InvalidValue {
        return Error::usage(format!("`{name}` needs a value")).help(format!("add it, or {options}"));
    }
    let variable = variable(name, &value).map(|name| format!(" (from {name})")).unwrap_or_default();
    let message = format!("invalid value `{value}` for `{name}`{variable}");
    let valid = context.texts(ContextKind::ValidValue);
    let source = std::error::Error::source(error).map(ToString::to_string);
    let is_class = matches!(name, "--class" | "--not-class");
    let class = model::class_of(&value).filter(|_| is_class);
    Error::usage(message).help(match (class, source) {
        (Some(advice), _) => format!("{advice}; the classes are: {}", valid.join(", ")),
        (None, Some(source)) => source,
        (None, None) if valid.is_empty() => options.to_string(),
        (None, None) => match nearest(&value, valid.iter().map(String::as_str)).filter(|_| !is_class) {
            Some(meant) => {
                let all: Vec<_> = valid.iter().map(String::as_str).collect();
                ops::use_or("values", &[meant], &all)
            }
            None => format!("use one of: {}", valid.join(", ")),
        },
    })
}

/// Returns the name of an argument without the placeholder of its value.
fn bare(argument: &str) -> &str {
    argument.split(' ').next().unwrap_or_default().trim_end_matches("...").trim_matches(['[', ']', '<', '>'])
}

/// Returns the variable that an option got this value from, if it is not on the command line.
fn variable(option: &str, value: &str) -> Option<String> {
    let definition = args::definition();
    let long = option.strip_prefix("--")?;
    let variable =
        definition.get_arguments().find(|argument| argument.get_long() == Some(long))?.get_env()?;
    let is_given = std::env::args().any(|argument| argument.starts_with(option));
    let is_it = std::env::var_os(variable).is_some_and(|found| found.to_string_lossy().contains(value));
    (is_it && !is_given).then(|| variable.to_string_lossy().into_owned())
}

/// Returns the command that the error is about, as far as it was understood.
fn command(error: &clap::Error) -> String {
    let definition = args::definition();
    let names: Vec<_> = definition.get_subcommands().map(clap::Command::get_name).collect();
    let given = std::env::args().skip(1).find(|argument| names.contains(&argument.as_str()));
    let is_of_it = error.kind() != ErrorKind::InvalidSubcommand;
    given.filter(|_| is_of_it).map_or_else(|| "kasm-db".to_string(), |name| format!("kasm-db {name}"))
}

/// What clap tells of an error.
struct Context<'e>(&'e clap::Error);

impl Context<'_> {
    fn text(&self, kind: ContextKind) -> Option<String> {
        self.texts(kind).into_iter().next()
    }

    fn texts(&self, kind: ContextKind) -> Vec<String> {
        match self.0.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }
}

/// Returns clap's text. It repeats arguments and variables as they came, which in a pipeline may be the name that
/// somebody gave to a branch.
fn said(error: &clap::Error) -> String {
    let text = error.render();
    let (plain, styled) = (text.to_string(), text.ansi().to_string());
    let is_style = |part: &str| {
        let rest = part.strip_prefix('[').unwrap_or_default();
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
    };
    if plain.contains(output::is_unsafe) || !styled.split('\u{1b}').skip(1).all(is_style) {
        output::escape_lines(&plain)
    } else {
        styled
    }
}
