//! What a line of a postgresql.conf sets.

use pgconf::Conf;

/// Returns the name of the setting on a line, active or commented out, in lower case.
pub(crate) fn setting(line: &[u8]) -> Option<String> {
    let mark = line.iter().take_while(|byte| matches!(byte, b'#' | b' ' | b'\t')).count();
    let conf = Conf::parse(&line[mark..]);
    let entry = conf.entries().first()?;
    Some(String::from_utf8_lossy(conf.name(entry)).to_ascii_lowercase())
}

/// Returns the value that lines set; `None` if they set none.
pub(crate) fn value(lines: &[Vec<u8>]) -> Option<Vec<u8>> {
    let conf = Conf::parse(lines.join(&b'\n'));
    let entry = conf.entries().last()?;
    Some(conf.value(entry))
}
