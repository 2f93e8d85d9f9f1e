//! What a service's command line tells the server.

use model::Location;
use model::yaml::Kind;

use crate::compose::parts::Service;
use crate::compose::stack::Stack;

/// A setting on the command line, which wins over every file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOption {
    /// The setting's name, with `_` for `-`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it stands in the compose file.
    pub location: Option<Location>,
}

/// What is known of a service's command.
#[derive(Debug, Default)]
pub(crate) struct Command {
    /// Whether the service says what to run; else the image does.
    pub(crate) given: bool,
    pub(crate) options: Vec<CommandOption>,
    /// Where a part stands that could not be read: a shell's syntax, or a variable that no file sets.
    pub(crate) unreadable: Option<(Location, String)>,
}

/// Longer command lines are read up to here.
const MAX_WORDS: usize = 10_000;

/// Reads `entrypoint` and `command` of a service.
pub(crate) fn read(stack: &Stack, service: &Service) -> Command {
    let mut command = Command::default();
    let (mut words, mut places) = (Vec::new(), Vec::new());
    for key in ["entrypoint", "command"] {
        let Some((layer, entry)) = service.get(stack, key) else { continue };
        let file = stack.file(layer);
        let (items, whole) = match &file.tree.node(entry.value).kind {
            Kind::Sequence(items, _) => (items.as_slice(), false),
            _ => (std::slice::from_ref(&entry.value), true),
        };
        for &item in items {
            let location = file.location(file.tree.written(item).span.clone());
            let text = match stack.text(layer, item).map(|text| text.resolved) {
                Some(Ok(text)) => text,
                Some(Err(name)) => {
                    command.given = true;
                    command.unreadable = Some((location, format!("the variable `{name}` is set by no file")));
                    continue;
                }
                None => continue,
            };
            match if whole { split(&text) } else { Some(vec![text]) } {
                Some(split) => {
                    // One more than the limit tells that there were too many.
                    words.extend(split.into_iter().take(MAX_WORDS + 1));
                    places.push((words.len(), location));
                }
                None => {
                    let why = "its quotes or brackets do not match".to_string();
                    command.unreadable = Some((location, why));
                }
            }
            // An empty command leaves the image's own in force.
            command.given |= !words.is_empty();
            if words.len() > MAX_WORDS {
                let location = file.location(file.tree.written(entry.value).span.clone());
                command.unreadable = Some((location, format!("it has more than {MAX_WORDS} words")));
                words.truncate(MAX_WORDS);
                break;
            }
        }
    }
    // Each place is that of the words up to so many.
    let place = |word: usize| {
        let index = places.partition_point(|(end, _)| *end <= word);
        places.get(index).map(|(_, location): &(usize, Location)| location.clone())
    };
    command.options = postgres_options(&words, &place, 0);
    command
}

/// Reads the options of a `postgres` command line.
pub(crate) fn from_arguments(arguments: &[String]) -> Vec<CommandOption> {
    postgres_options(arguments, &|_| None, 0)
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

/// `place` returns where a word stands.
fn postgres_options(
    words: &[String],
    place: &dyn Fn(usize) -> Option<Location>,
    depth: usize,
) -> Vec<CommandOption> {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let here = at;
        let next = words.get(at + 1);
        at += 1;
        if word.contains(char::is_whitespace) && word.contains("postgres ") && depth < 3 {
            // `sh -c "exec postgres -c …"`: the server's words are inside one of ours.
            let inner = shell_words(word);
            options.extend(postgres_options(&inner, &|_| place(here), depth + 1));
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
            options.push(CommandOption {
                name: name.replace('-', "_"),
                value: value.into(),
                location: place(here),
            });
        } else if let Some((_, name)) = SHORT.iter().find(|(short, _)| short == word)
            && let Some(value) = next
        {
            at += 1;
            options.push(CommandOption { name: (*name).into(), value: value.clone(), location: place(here) });
        }
    }
    options
}

/// Splits a string into words as Compose splits `command: …`.
///
/// Blanks part words; quotes and backslashes work in all quotes but single ones; what stands behind
/// `;`, `&`, `|`, `<` or `>` is dropped; `$(…)` and backquotes stay together. `None` where Compose refuses it.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut rest = text;
    loop {
        // Most of a command is letters, which mean themselves everywhere.
        let plain =
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_=./,".contains(byte)).count();
        if plain > 0 {
            word.get_or_insert_default().push_str(&rest[..plain]);
            rest = &rest[plain..];
        }
        let mut chars = rest.chars();
        let Some(c) = chars.next() else { break };
        match (c, quote) {
            ('\\', q) if q != Some('\'') => word.get_or_insert_default().push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            ('\'' | '"', Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            ('`', Some('`')) | (')', Some(')')) => {
                word.get_or_insert_default().push(c);
                quote = None;
            }
            ('`', None) => {
                word.get_or_insert_default().push(c);
                quote = Some(c);
            }
            ('(', None) if word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                word.get_or_insert_default().push(c);
                quote = Some(')');
            }
            ('(' | ')', None) => return None,
            (';' | '&' | '|' | '<' | '>', None) => {
                // `2>` is a redirection of its own.
                if c == '>' {
                    word = word.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
                }
                break;
            }
            (' ' | '\t' | '\r' | '\n', None) => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
        rest = chars.as_str();
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Splits what a shell is given: each command's words, whatever joins the commands.
fn shell_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            ('\\', Some('"')) => {
                let escapes = chars.next_if(|c| matches!(c, '"' | '\\' | '$' | '`'));
                word.get_or_insert_default().push(escapes.unwrap_or('\\'));
            }
            ('\\', None) => word.get_or_insert_default().extend(chars.next().filter(|c| *c != '\n')),
            (' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')', None) => {
                words.extend(word.take());
            }
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
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
        assert_eq!(options(&["sh", "-c", "chown x /y && exec postgres -c a=1; true"]), ["a=1"]);
    }

    #[test]
    fn a_string_splits_as_compose_splits_it() {
        let check = |text: &str, words: &[&str]| assert_eq!(split(text).unwrap(), words, "{text}");
        check(r#"a 'b c' "d \"e\"" f\ g """#, &["a", "b c", "d \"e\"", "f g", ""]);
        check("\ta\t\nb ", &["a", "b"]);
        check(r#"a "b\nc" '\'"#, &["a", "b\nc", "\\"]);
        check(r#"a "x"y'z'"#, &["a", "xyz"]);
        check("a b && c", &["a", "b"]);
        check("a 2>b", &["a"]);
        check("a b# c # d", &["a", "b#", "c", "#", "d"]);
        check("a `x y` $(x y) b", &["a", "`x y`", "$(x y)", "b"]);
        check("x \"a;b\" y", &["x", "a;b", "y"]);
        check("a\u{a0}b", &["a\u{a0}b"]);
        for refused in ["a 'b", "a \"b", "a\\", "a (b)", "a ) b"] {
            assert_eq!(split(refused), None, "{refused}");
        }
    }
}
