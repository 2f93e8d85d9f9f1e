//! What a service's command line tells the server.

use std::ops::Range;

use model::Place;
use model::yaml::Kind;

use crate::compose::stack::Stack;

/// A setting on the command line, which wins over every file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOption {
    /// The setting's name, with `_` for `-`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it stands in the compose file.
    pub place: Option<Place>,
}

/// What is known of a service's command.
#[derive(Debug, Default)]
pub(crate) struct Command {
    /// Whether the service says what to run; else the image does.
    pub(crate) given: bool,
    pub(crate) options: Vec<CommandOption>,
    /// Where a part stands that could not be read: a shell's syntax, or a variable that no file sets.
    pub(crate) unreadable: Option<(Place, String)>,
}

/// Reads `entrypoint` and `command` of a service.
pub(crate) fn read(stack: &Stack, service: &str) -> Command {
    let mut command = Command::default();
    let mut words = Vec::new();
    for key in ["entrypoint", "command"] {
        let Some((layer, entry)) = stack.effective(service, key) else { continue };
        let file = stack.file(layer);
        if file.tree.is_null(entry.value) {
            continue;
        }
        command.given = true;
        let mut add = |id| {
            let span: Range<usize> = file.tree.written(id).span.clone();
            let place = file.place(span);
            match stack.text(layer, id).map(|text| text.resolved) {
                Some(Ok(text)) => words.push((text, place)),
                Some(Err(name)) => {
                    command.unreadable = Some((place, format!("the variable `{name}` is set by no file")));
                }
                None => {}
            }
        };
        match &file.tree.node(entry.value).kind {
            Kind::Sequence(items, _) => items.iter().for_each(|&item| add(item)),
            _ => {
                add(entry.value);
                // A command in one string is split as a shell would, before the server sees it.
                if let Some((text, place)) = words.pop() {
                    match split(&text) {
                        Some(split) => words.extend(split.into_iter().map(|word| (word, place.clone()))),
                        None => command.unreadable = Some((place, "its quotes do not match".into())),
                    }
                }
            }
        }
    }
    let (texts, places): (Vec<_>, Vec<_>) = words.into_iter().unzip();
    command.options = postgres_options(&texts, &places, 0);
    command
}

/// Reads the options of a `postgres` command line.
pub(crate) fn from_arguments(arguments: &[String]) -> Vec<CommandOption> {
    postgres_options(arguments, &[], 0)
}

/// Options of `postgres` that set one setting each (`postgres --help`, 12 to 18).
const SHORT: &[(&str, &str)] = &[
    ("-B", "shared_buffers"),
    ("-d", "log_min_messages"),
    ("-D", "data_directory"),
    ("-h", "listen_addresses"),
    ("-k", "unix_socket_directories"),
    ("-N", "max_connections"),
    ("-p", "port"),
    ("-S", "work_mem"),
];

fn postgres_options(words: &[String], places: &[Place], depth: usize) -> Vec<CommandOption> {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let place = places.get(at).cloned();
        let next = words.get(at + 1);
        at += 1;
        if word.contains(char::is_whitespace) && word.contains("postgres ") && depth < 3 {
            // `sh -c "exec postgres -c …"`: the server's words are inside one of ours.
            let inner = split(word).unwrap_or_default();
            let places = place.into_iter().cycle().take(inner.len()).collect::<Vec<_>>();
            options.extend(postgres_options(&inner, &places, depth + 1));
            continue;
        }
        let assignment = if word == "-c" {
            // A shell's `-c` takes a command, which is looked into above.
            next.filter(|next| !next.contains("postgres ")).cloned()
        } else if let Some(long) = word.strip_prefix("--") {
            Some(long.to_string())
        } else {
            word.strip_prefix("-c").map(String::from)
        };
        if let Some((name, value)) = assignment.as_deref().and_then(|text| text.split_once('=')) {
            at += usize::from(word == "-c");
            options.push(CommandOption { name: name.replace('-', "_"), value: value.into(), place });
        } else if let Some((_, name)) = SHORT.iter().find(|(short, _)| short == word)
            && let Some(value) = next
        {
            at += 1;
            options.push(CommandOption { name: (*name).into(), value: value.clone(), place });
        }
    }
    options
}

/// Splits a string into words as a shell does: blanks, quotes, backslashes.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Vec<String> {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        from_arguments(&words).into_iter().map(|o| format!("{}={}", o.name, o.value)).collect()
    }

    #[test]
    fn settings_come_in_three_spellings() {
        assert_eq!(
            options(&["postgres", "-c", "a=1", "--shared-preload-libraries=x", "-cb.c=2", "-N", "50", "-l"]),
            ["a=1", "shared_preload_libraries=x", "b.c=2", "max_connections=50",]
        );
    }

    #[test]
    fn a_shell_in_between_hides_nothing() {
        assert_eq!(options(&["sh", "-c", "exec postgres -c 'a=1 2' -c b=\"x\""]), ["a=1 2", "b=x"]);
    }

    #[test]
    fn a_string_splits_like_a_shells() {
        assert_eq!(split(r#"a 'b c' "d \"e\" \n" f\ g """#).unwrap(), ["a", "b c", "d \"e\" \\n", "f g", ""]);
        assert_eq!(split("a 'b"), None);
    }
}
