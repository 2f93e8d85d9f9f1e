//! Kinds of values in compose files: which texts are of a kind, and so no secret, and what is shown in place of others.

use core::net::IpAddr;

use super::image::{has_user, is_image};
use super::known::looks_secret;

/// What a value of a compose file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Any text: never shown.
    Text,
    /// What stands in an extension field, if nothing else takes it from there: never shown.
    Extension,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// `1m30s`
    Duration,
    /// `64m`
    Size,
    /// `127.0.0.1:5432:5432/tcp`
    Port,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `no`, `always`, `on-failure:3`, `unless-stopped`
    Restart,
    /// `3.8`
    Version,
    /// A name of something: a service, a host, a network.
    Name,
    /// The name of a container, which no other one has.
    Container,
    /// `70:70`
    User,
    /// A path.
    Path,
    /// The path of a file that Compose reads.
    EnvFile,
    /// `name:/path:ro`
    Volume,
    /// `127.0.0.1` or `10.0.0.0/8`
    Address,
    /// `name:127.0.0.1`
    Host,
    /// `linux/arm64`
    Platform,
    /// `NET_ADMIN`
    Capability,
    /// `SIGTERM`
    Signal,
    /// `CMD`, or a text.
    Test,
    /// `all`, or a number.
    Count,
    /// An image.
    Image,
}

/// What a variable may become while its text is looked at.
const SAMPLES: [&str; 2] = ["1", "a"];

/// Names that are longer are not looked at.
const LONGEST: usize = 64;

impl Kind {
    /// Returns whether a text is of this kind, and so may be shown: names of variables in it are names, their defaults are looked
    /// at as what stands around them is.
    pub(super) fn takes(self, text: &str) -> bool {
        if matches!(self, Self::Text | Self::Extension | Self::EnvFile) {
            return false;
        }
        if self == Self::Image {
            let (name, _) = text.split_once("@sha256:").unwrap_or((text, ""));
            let name = without_variables(name, "a");
            return is_image(text) && name.is_some_and(|name| !has_user(&name) && !looks_secret(&name));
        }
        if !text.contains('$') {
            return !looks_secret(text) && self.is(text);
        }
        let own = self.instead(1).unwrap_or_default();
        let samples = SAMPLES.iter().map(|sample| (*sample).to_string()).chain([own]);
        samples
            .filter_map(|sample| without_variables(text, &sample))
            .any(|text| !looks_secret(&text) && self.is(&text))
    }

    /// Returns whether no text of this kind can hold a secret, whatever secrets there are.
    pub(super) fn is_closed(self) -> bool {
        matches!(self, Self::Bool | Self::Word(_) | Self::Restart | Self::Test)
    }

    /// Returns what is shown in place of a value of this kind that is hidden, the `nth` one of its list from 1; `None` if any
    /// text is one.
    pub(super) fn instead(self, nth: usize) -> Option<String> {
        let nth_of = |text: &str| if nth > 1 { format!("{text}{nth}") } else { text.to_string() };
        Some(match self {
            Self::Text | Self::Extension | Self::Image | Self::Test => return None,
            Self::Bool => "false".into(),
            Self::Int | Self::Number | Self::Count => "1".into(),
            Self::Port => nth.to_string(),
            Self::Duration => "1s".into(),
            Self::Size => "64m".into(),
            Self::Word(words) => words.first().map_or_else(|| "hidden".into(), |word| (*word).into()),
            Self::Restart => "always".into(),
            Self::Version => "'3'".into(),
            Self::Name | Self::Container => nth_of("hidden"),
            Self::User => "nobody".into(),
            Self::Path | Self::Volume => nth_of("/hidden"),
            Self::EnvFile => "/dev/null".into(),
            Self::Address => "127.0.0.1".into(),
            Self::Host => format!("{}:127.0.0.1", nth_of("hidden")),
            Self::Platform => "linux/amd64".into(),
            Self::Capability => nth_of("CAP_HIDDEN"),
            Self::Signal => "SIGTERM".into(),
        })
    }

    fn is(self, text: &str) -> bool {
        match self {
            Self::Text | Self::Extension | Self::EnvFile | Self::Image => false,
            Self::Bool => {
                ["true", "false", "yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word))
            }
            Self::Int => is_int(text.strip_prefix(['-', '+']).unwrap_or(text)),
            Self::Test => matches!(text, "CMD" | "CMD-SHELL" | "NONE"),
            Self::Count => text == "all" || is_int(text),
            Self::Number => is_number(text.strip_prefix('-').unwrap_or(text)),
            Self::Duration => is_duration(text),
            Self::Size => is_size(text),
            Self::Port => is_port(text),
            Self::Word(words) => words.contains(&text),
            Self::Restart => match text.split_once(':') {
                Some((policy, times)) => policy == "on-failure" && is_int(times),
                None => matches!(text, "no" | "always" | "on-failure" | "unless-stopped"),
            },
            Self::Version => text.len() <= 8 && text.split('.').all(is_int),
            Self::Name | Self::Container => is_name(text),
            Self::User => {
                let mut parts = text.split(':');
                parts.clone().count() <= 2 && parts.all(|part| part.len() <= 32 && is_name(part))
            }
            Self::Path => is_path(text),
            Self::Volume => is_volume(text),
            Self::Address => is_address(text),
            Self::Host => {
                let parts = text.split_once(['=', ':']);
                parts.is_some_and(|(name, ip)| is_name(name) && (ip == "host-gateway" || is_address(ip)))
            }
            Self::Platform => {
                let is_part = |part: &str| is_name(part) && part.len() <= 16;
                (1..=3).contains(&text.split('/').count()) && text.split('/').all(is_part)
            }
            Self::Capability => {
                text.len() <= 40
                    && !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            }
            Self::Signal => {
                is_int(text)
                    || text.len() <= 16
                        && text.starts_with("SIG")
                        && text
                            .bytes()
                            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"+-".contains(&b))
            }
        }
    }
}

/// Returns a text with each variable replaced by its default, or by a sample; `None` if something in it is neither.
fn without_variables(text: &str, sample: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if let Some(braced) = behind.strip_prefix('{') {
            let (inside, behind) = braced.split_once('}')?;
            let (name, other) = inside.split_at(inside.find(|c| !is_part(c)).unwrap_or(inside.len()));
            let default = match other {
                "" | "?" | ":?" => "",
                _ => other.strip_prefix(":-").or_else(|| other.strip_prefix('-'))?,
            };
            if name.is_empty() || default.contains(['$', '{']) {
                return None;
            }
            out.push_str(if default.is_empty() { sample } else { default });
            rest = behind;
        } else {
            let end = behind.find(|c| !is_part(c)).unwrap_or(behind.len());
            if end == 0 {
                return None;
            }
            out.push_str(sample);
            rest = &behind[end..];
        }
    }
    out.push_str(rest);
    Some(out)
}

fn is_int(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    match text.split_once('.') {
        Some((whole, part)) => (is_int(whole) || whole.is_empty()) && is_int(part),
        None => is_int(text),
    }
}

fn is_duration(text: &str) -> bool {
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        if !is_number(number) || !matches!(unit, "" | "ns" | "us" | "µs" | "ms" | "s" | "m" | "h" | "d" | "w")
        {
            return false;
        }
        (rest, parts) = (behind, parts + 1);
    }
    (1..=4).contains(&parts)
}

fn is_size(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    is_number(number)
        && matches!(
            unit.as_str(),
            "" | "b" | "k" | "kb" | "kib" | "m" | "mb" | "mib" | "g" | "gb" | "gib" | "t" | "tb" | "tib"
        )
}

fn is_port(text: &str) -> bool {
    let (text, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let is_range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, "1"));
        [first, last].iter().all(|port| port.len() <= 5 && is_int(port))
    };
    let (rest, inside) = text.rsplit_once(':').unwrap_or(("", text));
    let (address, outside) = match rest.rsplit_once(':') {
        Some((address, outside)) => (address, outside),
        None if is_range(rest) || rest.is_empty() => ("", rest),
        None => (rest, ""),
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    matches!(protocol, "tcp" | "udp" | "sctp")
        && is_range(inside)
        && (outside.is_empty() || is_range(outside))
        && (address.is_empty() || address.parse::<IpAddr>().is_ok())
}

fn is_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-/~+ ".contains(&b))
}

fn is_volume(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let is_mode = |text: &str| text.len() <= 24 && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b',');
    match parts[..] {
        [inside] => inside.starts_with('/') && is_path(inside),
        [from, inside] => is_path(from) && is_path(inside) && inside.starts_with('/'),
        [from, inside, mode] => is_path(from) && is_path(inside) && inside.starts_with('/') && is_mode(mode),
        _ => false,
    }
}

fn is_address(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
        && length.len() <= 3
        && is_int(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_kind_are_shown_and_others_are_not() {
        let cases: &[(Kind, &[&str], &[&str])] = &[
            (Kind::Bool, &["true", "no"], &["hunter2", "${B:-hunter2}"]),
            (
                Kind::Int,
                &["3", "-1", "${N}", "${N:-3}"],
                &["hunter2", "1e5", "${N:-x}", "${N:?hunter}", "$(id)", ""],
            ),
            (Kind::Number, &["0.5", ".5", "2"], &["x", "1.2.3"]),
            (
                Kind::Duration,
                &["1m30s", "500ms", "10", "1.5h", "${T:-5s}"],
                &["5 apples", "s", "hunter2", ""],
            ),
            (Kind::Size, &["64m", "1.5gb", "2 GiB", "-1", "1024"], &["64x", "hunter2"]),
            (
                Kind::Port,
                &[
                    "80",
                    "5432:5432",
                    "127.0.0.1:80:80/tcp",
                    "127.0.0.1::80",
                    "[::1]:80:80",
                    "1-2:3-4",
                    "${P}:80",
                    "127.0.0.1:80",
                ],
                &["hunter2", "hunter2:80", "80:hunter2", "80/hunter2", "123456"],
            ),
            (Kind::Restart, &["no", "on-failure:3"], &["hunter2", "on-failure:x"]),
            (Kind::Version, &["3", "3.8"], &["3.hunter2", ""]),
            (
                Kind::Name,
                &["kasm_db", "db.example.com", "${NAME:-kasm_db}"],
                &["a b", "a=b", "kX9vT2bQ7zPw", "a:b", "p@ss", ""],
            ),
            (Kind::User, &["70:70", "postgres", "${UID}:${GID}"], &["a:b:c", "p@ss:x"]),
            (
                Kind::Volume,
                &["data:/var/lib", "/a/b:/c:ro", "./x:/y:ro,z", "/data", "${HOME}/x:/y"],
                &["hunter2", "https://u:p@h/x:/y", "a:b:c:d", "a:b", "/a?x=y:/b"],
            ),
            (Kind::Address, &["127.0.0.1", "10.0.0.0/8", "::1"], &["host", "1.2.3"]),
            (Kind::Host, &["a:127.0.0.1", "a=::1", "h:host-gateway"], &["a:hunter2", "hunter2"]),
            (Kind::Platform, &["linux/arm64/v8"], &["a b", "a/b/c/d"]),
            (Kind::Capability, &["NET_ADMIN"], &["hunter2"]),
            (Kind::Signal, &["SIGTERM", "15"], &["hunter2"]),
            (
                Kind::Image,
                &[
                    "postgres:15",
                    "${I:-kasmweb/postgres}:${TAG:?}",
                    "r.example.com:5000/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                ],
                &[
                    "u:p@r/a",
                    "${I:-u:p@r/a}",
                    "${I:?u:p@r/a}",
                    "${I:?words}",
                    "a b",
                    "https://r/a",
                    "a@sha256:hunter2",
                ],
            ),
            (Kind::Text, &[], &["", "a", "1"]),
            (Kind::EnvFile, &[], &["db.env", "/dev/null"]),
        ];
        for (kind, shown, hidden) in cases {
            for text in *shown {
                assert!(kind.takes(text), "{kind:?} {text}");
            }
            for text in *hidden {
                assert!(!kind.takes(text), "{kind:?} {text}");
            }
            for nth in [1, 2] {
                let instead = kind.instead(nth);
                let is_own = |text: &String| kind.takes(text.trim_matches('\'')) || *kind == Kind::EnvFile;
                assert!(instead.as_ref().is_none_or(is_own), "{kind:?} {instead:?}");
            }
        }
    }
}
