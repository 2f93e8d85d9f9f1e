//! What of a file may be shown. Compose files hold passwords, and so may a comment.

mod compose;
mod hidden;
mod hiding;
mod image;
mod kinds;
mod known;
mod places;
mod sample;

use std::ops::Range;
use std::sync::Arc;

use model::postgres;
use model::yaml::{Kind, NodeId, Tree};
use pgconf::value::{Type, check};
use pgconf::{Conf, Entry};

use crate::file_kind::FileKind;
use crate::lines::{lines, start};

pub(crate) use self::hidden::{For, Hidden};
pub(crate) use self::hiding::Hiding;
pub(crate) use self::image::has_user;
use self::image::is_image;
pub(crate) use self::known::Known;
use self::known::looks_secret;
pub use model::HIDDEN;

/// One text and the parts of it that may be shown.
///
/// Shown by default is nothing. Added to that are: the bytes that a plan replaces or writes, keys,
/// punctuation, and what is known to be no secret.
pub(crate) struct Shown<'a> {
    kind: FileKind,
    bytes: &'a [u8],
    /// Sorted and disjoint, as edits are.
    managed: Vec<Range<usize>>,
    /// How many lines come before those that can be shown.
    first: usize,
    /// The lines that can be shown, without their line feeds.
    lines: Vec<Range<usize>>,
    /// What to hide in a compose file, sorted. A conf is looked at line by line when it is shown.
    hidden: Vec<Hidden>,
    known: Option<&'a Known>,
}

impl<'a> Shown<'a> {
    /// Accepts what is to hide; `managed` are the bytes that the plan is about.
    pub(crate) fn new(
        kind: FileKind,
        bytes: &'a [u8],
        managed: Vec<Range<usize>>,
        hiding: &'a Hiding,
    ) -> Self {
        Self::within(kind, bytes, managed, hiding, 0..usize::MAX)
    }

    /// Does the same for some of the lines, counted from 0: no others can be shown then.
    pub(crate) fn within(
        kind: FileKind,
        bytes: &'a [u8],
        managed: Vec<Range<usize>>,
        hiding: &'a Hiding,
        shown: Range<usize>,
    ) -> Self {
        let first = shown.start;
        let mut at = start(bytes, first);
        let mut spans = Vec::new();
        for line in lines(&bytes[at..]).take(shown.len()) {
            spans.push(at..at + line.len() - usize::from(line.ends_with(b"\n")));
            at += line.len();
        }
        let within = spans.first().map_or(0, |line| line.start)..spans.last().map_or(0, |line| line.end);
        let mut hidden = hiding.parts(bytes, within);
        // A scalar of which a part is written is the image.
        let is_managed = |range: &Range<usize>| {
            let first = managed.partition_point(|m| m.end <= range.start);
            managed.get(first).is_some_and(|m| m.start < range.end)
        };
        hidden.retain(|h| h.always || h.comment || !is_managed(&h.range));
        hidden.sort_by_key(|h| (h.range.start, h.range.end));
        Self { kind, bytes, managed, first, lines: spans, hidden, known: hiding.known() }
    }

    /// Returns a line (from 0) without its line feed, as it may be shown.
    pub(crate) fn line(&self, index: usize) -> Vec<u8> {
        self.span(index).map_or_else(Vec::new, |line| self.line_for(For::People, line))
    }

    fn span(&self, index: usize) -> Option<&Range<usize>> {
        self.lines.get(index.checked_sub(self.first)?)
    }

    fn line_for(&self, whom: For, line: &Range<usize>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = line.start;
        let (mut is_replaced, mut has_comment) = (false, false);
        let hidden = self.on(line);
        for hidden in &hidden {
            let start = hidden.range.start.max(line.start).max(at);
            let end = hidden.range.end.min(line.end);
            if start >= end {
                continue;
            }
            out.extend(&self.bytes[at..start]);
            let part = &self.bytes[start..end];
            // A continued scalar keeps its indentation.
            let blanks = part.iter().take_while(|b| b.is_ascii_whitespace()).count();
            out.extend(&part[..blanks]);
            if blanks < part.len() {
                if hidden.comment {
                    out.extend(b"# ");
                }
                match hidden.instead.as_ref().filter(|_| whom == For::Compose) {
                    None => out.extend(HIDDEN.bytes()),
                    // What stands in place of several lines stands on the first.
                    Some(_) if !self.is_blank(hidden.range.start..start) => {}
                    Some(instead) => {
                        out.extend(instead.text.bytes());
                        is_replaced |= instead.is_said;
                    }
                }
                has_comment |= hidden.comment;
            }
            if part.ends_with(b"\r") {
                out.push(b'\r');
            }
            at = end;
        }
        out.extend(&self.bytes[at.min(line.end)..line.end]);
        let goes_on = |hidden: &Hidden| hidden.range.end > line.end;
        if is_replaced && !has_comment && !hidden.iter().any(goes_on) {
            let end = out.len() - usize::from(out.ends_with(b"\r"));
            if !out[..end].trim_ascii_end().ends_with(compose::COMMENT.as_bytes()) {
                out.splice(end..end, format!(" {}", compose::COMMENT).into_bytes());
            }
        }
        out
    }

    fn is_blank(&self, range: Range<usize>) -> bool {
        self.bytes.get(range).is_none_or(|bytes| bytes.trim_ascii().is_empty())
    }

    /// Returns the whole text as it may be shown, for Compose as well if it reads the original.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        for (index, line) in self.lines.iter().enumerate() {
            out.extend(self.line_for(For::Compose, line));
            out.extend(
                &self.bytes[line.end..self.lines.get(index + 1).map_or(self.bytes.len(), |next| next.start)],
            );
        }
        out
    }

    /// Returns whether a line (from 0) holds what may be a secret.
    pub(crate) fn may_be_secret(&self, index: usize) -> bool {
        self.span(index).is_some_and(|line| self.on(line).iter().any(|hidden| hidden.secret))
    }

    fn on(&self, line: &Range<usize>) -> Vec<Hidden> {
        match self.kind {
            FileKind::Conf if self.hidden.is_empty() => {
                conf_line(self.bytes, line.clone(), &self.managed, self.known)
            }
            _ => {
                // They are disjoint, so what ends behind the line's start is all at the end.
                let first = self.hidden.partition_point(|h| h.range.end <= line.start);
                let before = |h: &&Hidden| h.range.start < line.end;
                self.hidden[first..].iter().take_while(before).cloned().collect()
            }
        }
    }
}

/// Hides a whole text: what nobody has looked at yet.
pub(crate) fn everything() -> Hiding {
    Hiding::Everything
}

/// Finds what to hide in a compose file; `known` are the target's secrets.
pub(crate) fn compose(tree: &Arc<Tree>, known: &Arc<Known>, whom: For) -> Hiding {
    Hiding::Compose(Arc::clone(tree), Arc::clone(known), whom)
}

/// Finds what to hide in a conf: it is looked at line by line when it is shown.
pub(crate) fn conf(known: &Arc<Known>) -> Hiding {
    Hiding::Conf(Arc::clone(known))
}

/// Finds the images of services, and of what services take in from `x-…` keys: none of them is a secret.
pub(crate) fn images(tree: &Tree) -> Vec<Range<usize>> {
    let mut images = Vec::new();
    for document in tree.documents() {
        for (key, value) in tree.entries(*document) {
            match tree.scalar(*key) {
                Some("services") => {
                    tree.entries(*value)
                        .iter()
                        .for_each(|(_, service)| image_of(tree, *service, &mut images));
                }
                Some(key) if key.starts_with("x-") => image_of(tree, *value, &mut images),
                _ => {}
            }
        }
    }
    images.sort_by_key(|range| (range.start, range.end));
    images
}

fn image_of(tree: &Tree, service: NodeId, images: &mut Vec<Range<usize>>) {
    for image in tree.all(service, "image").map(|(_, image)| image) {
        let node = tree.node(image);
        if matches!(&node.kind, Kind::Scalar(text, _) if is_image(text)) {
            images.push(node.span.clone());
        }
    }
}

/// Finds the values of the preload list and of pgaudit's settings in a conf, active or commented out.
pub(crate) fn settings(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    for line in lines(bytes) {
        let mark = line.iter().take_while(|b| matches!(b, b'#' | b' ' | b'\t')).count();
        let conf = Conf::parse(&line[mark..]);
        if let Some(entry) = conf.entries().first() {
            let name = String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase();
            if name == "shared_preload_libraries" || name.starts_with("pgaudit.") {
                found.push(at + mark + entry.value.start..at + mark + entry.value.end);
            }
        }
        at += line.len();
    }
    found
}

/// Settings of PostgreSQL whose text may hold a password.
pub(crate) const SECRET: &[&str] = &["primary_conninfo", "ssl_passphrase_command"];

/// Settings of PostgreSQL whose text is never a secret: lists of words, formats, paths, names of what the server has.
const OPEN: &[&str] = &[
    "bonjour_name",
    "client_encoding",
    "config_file",
    "createrole_self_grant",
    "data_directory",
    "datestyle",
    "debug_io_direct",
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "dynamic_library_path",
    "event_source",
    "extension_control_path",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "jit_provider",
    "krb_server_keyfile",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "listen_addresses",
    "local_preload_libraries",
    "log_destination",
    "log_directory",
    "log_filename",
    "log_line_prefix",
    "log_timezone",
    "primary_slot_name",
    "restrict_nonsystem_relation_kind",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_ciphers",
    "ssl_crl_dir",
    "ssl_crl_file",
    "ssl_dh_params_file",
    "ssl_ecdh_curve",
    "ssl_groups",
    "ssl_key_file",
    "ssl_tls13_ciphers",
    "stats_temp_directory",
    "synchronous_standby_names",
    "syslog_ident",
    "temp_tablespaces",
    "timezone",
    "timezone_abbreviations",
    "unix_socket_directories",
    "unix_socket_group",
    "wal_consistency_checking",
];

/// Finds what to hide on one line of a conf; no value spans lines.
fn conf_line(
    bytes: &[u8],
    line: Range<usize>,
    managed: &[Range<usize>],
    known: Option<&Known>,
) -> Vec<Hidden> {
    let mut hidden = Vec::new();
    let end = line.start + bytes[line.clone()].trim_ascii_end().len();
    let text = &bytes[line.start..end];
    if text.is_empty() || is_of_sample(text) {
        return hidden;
    }
    // A commented setting is one behind its mark.
    let mark = text.iter().take_while(|b| matches!(b, b'#' | b' ' | b'\t')).count();
    let conf = Conf::parse(&text[mark..]);
    match conf.entries().first().filter(|_| !text[..mark].contains(&b'#') || text.contains(&b'=')) {
        Some(entry) => setting(&conf, entry, line.start + mark..end, bytes, known, &mut hidden),
        None => comment(line.start..end, bytes, &mut hidden),
    }
    // The values that the plan is about are shown, on the old side and the new.
    let ours = |range: &Range<usize>| {
        let first = managed.partition_point(|m| m.end < range.start);
        managed.get(first).is_some_and(|m| m.start <= range.end)
    };
    hidden.retain(|h| h.always || h.comment || !ours(&h.range));
    hidden
}

/// Hides the value of a setting, active or commented, and the comment behind it.
fn setting(
    conf: &Conf,
    entry: &Entry,
    place: Range<usize>,
    bytes: &[u8],
    known: Option<&Known>,
    hidden: &mut Vec<Hidden>,
) {
    let Range { start: base, end } = place;
    let name = String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase();
    let value = conf.value(entry);
    let text = String::from_utf8_lossy(&value);
    // What is hidden already stays so.
    let is_known = text == HIDDEN || known.is_some_and(|known| known.is_in(&text));
    if let Some(secret) = of_setting(&name, &value).or(is_known.then_some(true)) {
        let secret = secret || is_known;
        let range = base + entry.value.start..base + entry.value.end;
        let always = secret && !name.starts_with("pgaudit.");
        hidden.push(Hidden { secret, always, ..Hidden::secret(range) });
    }
    let tail = base + entry.value.end;
    if let Some(hash) = bytes[tail..end.max(tail)].iter().position(|&b| b == b'#') {
        comment(tail + hash..end, bytes, hidden);
    }
}

/// Returns whether a setting's value is hidden, and then whether it may be a secret.
fn of_setting(name: &str, value: &[u8]) -> Option<bool> {
    let row = postgres::lookup_in(name, None);
    // A value that is a number, a word of a list, on or off says what the setting is set to, no more.
    let is_typed = row.is_some_and(|row| row.value != Type::String && check(&row.value, value).is_ok());
    let harmless = row.is_some()
        && !SECRET.contains(&name)
        && !name.ends_with("_command")
        && !looks_secret(&String::from_utf8_lossy(value));
    let is_list = || !name.ends_with("_preload_libraries") || pgconf::split_libraries(value).is_some();
    let is_open = || OPEN.contains(&name) && harmless && is_list();
    (!is_typed && !value.is_empty() && !is_open()).then_some(!harmless)
}

/// Returns whether a setting's value may be a secret; `name` is in lower case.
pub(crate) fn may_be_secret(name: &str, value: &[u8]) -> bool {
    of_setting(name, value) == Some(true)
}

/// Returns a value as it may be shown, and as it is where that is something else.
pub(crate) fn split(value: String, may_be_secret: bool) -> (String, Option<String>) {
    if may_be_secret { (HIDDEN.into(), Some(value)) } else { (value, None) }
}

/// Returns a value that a document declares as it may be shown: those settings are secret whatever their values are.
pub(crate) fn declared(name: &str, value: String) -> String {
    if SECRET.iter().any(|secret| name.eq_ignore_ascii_case(secret)) { HIDDEN.into() } else { value }
}

/// Returns whether the value of a managed setting may be a secret: as of any, but for those of pgaudit.
pub(crate) fn may_be_secret_before(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with("pgaudit.") && may_be_secret(&name, value)
}

/// Returns whether the line of a setting says what PostgreSQL's sample says, active or commented out.
pub(crate) fn is_default_of_sample(bytes: &[u8], entry: &Entry) -> bool {
    let start = bytes[..entry.name.start].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let end = bytes[entry.value.end..].iter().position(|&b| b == b'\n');
    let line = bytes[start..end.map_or(bytes.len(), |end| entry.value.end + end)].trim_ascii();
    is_of_sample(line) || is_of_sample(&[b"#", line].concat())
}

/// Hides a comment, unless every installation has it.
fn comment(range: Range<usize>, bytes: &[u8], hidden: &mut Vec<Hidden>) {
    let text = bytes[range.clone()].trim_ascii();
    let is_rule = text.iter().all(|b| matches!(b, b'#' | b'-' | b'=' | b' '));
    if !is_rule && !is_of_sample(text) {
        hidden.push(Hidden::secret(range).comment());
    }
}

/// Returns whether PostgreSQL's sample file has this line or comment.
fn is_of_sample(line: &[u8]) -> bool {
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for (index, word) in words.enumerate() {
        if index > 0 {
            add(b' ');
        }
        word.iter().copied().for_each(&mut add);
    }
    sample::LINES.binary_search(&hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 3] = [
        "# top secret\nversion: '3'\nservices:\n  db:\n    image: postgres:14 # 14.2\n    container_name: kasm_db\n    \
         environment:\n      POSTGRES_PASSWORD: hunter2 # c\n      A: b\n    command: [\"sh\", \"-c\", \"x hunter2\"]\n    \
         ports:\n    - 1:1\n    - 2:hunter2\n  api:\n    image: u:p@h/x\n    labels: {a: b}\n# end\nnetworks:\n  n:\n",
        "x-a: &a\n  environment: {PW: hunter2}\n  user: root\nservices:\n  db:\n    <<: *a\n    image: postgres:14\n  two: *a\n",
        "services:\n  db: &unused !hunter2 {image: a,\n    environment: [PW=hunter2,\n      B=c]}\n  p:\n    command: |\n      \
         hunter2\n      more\n    restart: no\n",
    ];

    #[test]
    fn some_lines_are_shown_as_they_are_in_the_whole_text() {
        let known = Arc::new(Known::new(["hunter2".to_string()]));
        for text in FILES {
            let hiding = compose(&Arc::new(Tree::parse(text.as_bytes()).unwrap()), &known, For::People);
            let whole = Shown::new(FileKind::Compose, text.as_bytes(), Vec::new(), &hiding);
            let lines = text.lines().count();
            for start in 0..lines {
                for end in start..=lines {
                    let some =
                        Shown::within(FileKind::Compose, text.as_bytes(), Vec::new(), &hiding, start..end);
                    for line in start..end {
                        let (shown, expected) = (some.line(line), whole.line(line));
                        assert_eq!(shown, expected, "line {line} of {start}..{end} of {text}");
                        assert!(!String::from_utf8(shown).unwrap().contains("hunter2"));
                        assert_eq!(some.may_be_secret(line), whole.may_be_secret(line));
                    }
                }
            }
        }
    }
}
