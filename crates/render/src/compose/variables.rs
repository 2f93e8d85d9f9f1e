//! Compose's variables: `.env` files and `$NAME` in scalars.

use std::collections::BTreeMap;

/// The variables that Compose would know, as far as files tell.
pub(crate) type Variables = BTreeMap<String, String>;

/// Replaces variables as Compose does, or gives the name of the first one that no file sets.
///
/// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?error}`, `${NAME?error}`,
/// `${NAME:+other}`, `${NAME+other}`, nested; `$$` is a dollar sign. The shell's own variables win over
/// files when Compose runs; they can not be known here.
pub(crate) fn interpolate(text: &str, variables: &Variables) -> Result<String, String> {
    interpolate_at(text, variables, 0)
}

/// Defaults nest in defaults; deeper than this they are not followed.
const MAX_DEPTH: usize = 16;

fn interpolate_at(text: &str, variables: &Variables, depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err("nested defaults".into());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing(after).ok_or_else(|| rest.to_string())?;
            out.push_str(&braced(&after[..end], variables, depth)?);
            rest = &after[end + 1..];
        } else {
            let end = name_end(rest);
            if end == 0 {
                out.push('$');
                continue;
            }
            out.push_str(variables.get(&rest[..end]).ok_or_else(|| rest[..end].to_string())?);
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Tells whether a text has variables at all.
pub(crate) fn has_variables(text: &str) -> bool {
    text.replace("$$", "").contains('$')
}

/// Gives the offset of the brace that closes the one before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text[..at].ends_with('$') => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn name_end(text: &str) -> usize {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    if starts { end } else { 0 }
}

fn braced(inner: &str, variables: &Variables, depth: usize) -> Result<String, String> {
    let end = name_end(inner);
    let (name, operator) = inner.split_at(end);
    let value = variables.get(name);
    let filled = value.filter(|value| !value.is_empty());
    let unknown = || Err(name.to_string());
    if operator.is_empty() && end > 0 {
        return value.cloned().map_or_else(unknown, Ok);
    }
    let (colon, rest) = operator.strip_prefix(':').map_or((false, operator), |rest| (true, rest));
    let present = if colon { filled } else { value };
    match rest.chars().next() {
        Some('-') => present.cloned().map_or_else(|| interpolate_at(&rest[1..], variables, depth + 1), Ok),
        Some('?') => present.cloned().map_or_else(unknown, Ok),
        Some('+') if present.is_some() => interpolate_at(&rest[1..], variables, depth + 1),
        Some('+') => Ok(String::new()),
        _ => Err(inner.to_string()),
    }
}

/// Reads a `.env` file: `NAME=value` lines, quotes, `export`, comments.
///
/// A line that is none of these is left out, as what Compose makes of it is not a variable.
pub(crate) fn read_env(bytes: &[u8]) -> Variables {
    let text = String::from_utf8_lossy(bytes);
    let mut variables = Variables::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim_end();
        if name.is_empty() || name_end(name) != name.len() {
            continue;
        }
        let value = env_value(value.trim_start(), &variables);
        variables.insert(name.to_string(), value);
    }
    variables
}

fn env_value(text: &str, variables: &Variables) -> String {
    if let Some(rest) = text.strip_prefix('\'') {
        return rest.split('\'').next().unwrap_or_default().to_string();
    }
    if let Some(rest) = text.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('r') => out.push('\r'),
                    Some('t') => out.push('\t'),
                    Some(other) => out.push(other),
                    None => break,
                },
                _ => out.push(c),
            }
        }
        return interpolate(&out, variables).unwrap_or(out);
    }
    let bare = text.split(" #").next().unwrap_or_default().trim_end();
    let bare = if bare.starts_with('#') { "" } else { bare };
    interpolate(bare, variables).unwrap_or_else(|_| bare.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let variables = read_env(
            b"A=1\nEMPTY=\nexport B = 'x y' # c\nC=\"$A-2\"\nD=v # note\nE=${A}0\n# F=1\nbad line\n",
        );
        let got = interpolate(text, &variables);
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn variables_are_replaced_as_compose_does() {
        check("p:$A", Ok("p:1"));
        check("p:${A}x$$", Ok("p:1x$"));
        check("${B}|${C}|${D}|${E}", Ok("x y|1-2|v|10"));
        check("${EMPTY:-d}|${EMPTY-d}|${NO:-d}|${NO-}", Ok("d||d|"));
        check("${NO:-${A}.${NO:-0}}", Ok("1.0"));
        check("${A:+yes}${NO:+no}", Ok("yes"));
        check("100$", Ok("100$"));
    }

    #[test]
    fn what_no_file_sets_is_not_guessed() {
        check("p:${TAG}", Err("TAG"));
        check("p:$TAG", Err("TAG"));
        check("${TAG?say it}", Err("TAG"));
        check("${F}", Err("F"));
    }

    #[test]
    fn a_doubled_dollar_is_no_variable() {
        assert!(!has_variables("a$$b"));
        assert!(has_variables("a${B}"));
    }
}
