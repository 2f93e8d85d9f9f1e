//! Compose's variables: `.env` files and `$NAME` in scalars.

use std::collections::BTreeMap;

/// The variables that Compose would know, as far as files tell. `None`: a file sets it, to something that is not known.
pub type Variables = BTreeMap<String, Option<String>>;

/// What variables may add to one text: no path is longer, and no image. Without it, forty lines of a `.env`
/// file, each with two variables of the line before, would make a terabyte.
const MAX_GROWTH: usize = 4096;

/// What variables may add to all values of a `.env` file together.
const MAX_GROWTH_OF_FILE: usize = 256 << 10;

/// Replaces variables as Compose does, or gives the name of the first one that no file sets, or whose value is
/// longer than anything it could stand for.
///
/// `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?error}`, `${NAME?error}`,
/// `${NAME:+other}`, `${NAME+other}`, nested; `$$` is a dollar sign. The shell's own variables win over
/// files when Compose runs; they cannot be known here.
pub(crate) fn interpolate(text: &str, variables: &Variables) -> Result<String, String> {
    interpolate_at(text, variables, 0)
}

/// Replaces variables as [`interpolate`] does, and one that no file sets by `unknown`.
pub(crate) fn interpolate_with(text: &str, variables: &Variables, unknown: &str) -> String {
    let mut known = variables.clone();
    for _ in 0..MAX_DEPTH {
        match interpolate(text, &known) {
            Ok(text) => return text,
            Err(name) => known.insert(name, Some(unknown.to_string())),
        };
    }
    unknown.to_string()
}

/// Defaults nest in defaults; deeper than this they are not followed.
const MAX_DEPTH: usize = 16;

fn interpolate_at(text: &str, variables: &Variables, depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err("nested defaults".into());
    }
    let most = text.len() + MAX_GROWTH;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            // The name alone: what stands behind it may be a part of a password.
            let end = closing(after).ok_or_else(|| after[..name_end(after)].to_string())?;
            out.push_str(&braced(&after[..end], variables, depth)?);
            if out.len() > most {
                return Err(after[..name_end(after)].to_string());
            }
            rest = &after[end + 1..];
        } else {
            let end = name_end(rest);
            if end == 0 {
                out.push('$');
                continue;
            }
            out.push_str(known(&rest[..end], variables)?.ok_or_else(|| rest[..end].to_string())?);
            if out.len() > most {
                return Err(rest[..end].to_string());
            }
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns whether a text has variables at all.
pub(crate) fn has_variables(text: &str) -> bool {
    text.replace("$$", "").contains('$')
}

/// Returns the offset of the brace that closes the one before `text`.
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

/// Returns the value of a variable, and `None` if no file sets it; the error is the name of one whose value is not known.
fn known<'a>(name: &str, variables: &'a Variables) -> Result<Option<&'a String>, String> {
    match variables.get(name) {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => Err(name.to_string()),
    }
}

fn braced(inner: &str, variables: &Variables, depth: usize) -> Result<String, String> {
    let end = name_end(inner);
    let (name, operator) = inner.split_at(end);
    let value = known(name, variables)?;
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
        _ => Err(name.to_string()),
    }
}

/// Reads a `.env` file as Compose does: `NAME=value` or `NAME: value`, quotes that may go over lines, escapes in double
/// quotes, `export`, comments.
///
/// A value with a variable that no file sets is not known: what Compose makes of it can come from the shell. Neither is
/// one that variables make longer than anything it could stand for. What follows a line that Compose refuses is read on
/// from the next one.
pub fn read_env(bytes: &[u8]) -> Variables {
    let mut text = String::from_utf8_lossy(bytes);
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").into();
    }
    let mut variables = Variables::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut room = MAX_GROWTH_OF_FILE;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return variables;
        }
        let next_line = |text: &'_ str| text.find('\n').map_or(text.len(), |at| at + 1);
        let Some((name, value)) = name_of(rest) else {
            rest = &rest[next_line(rest)..];
            continue;
        };
        let value = value.trim_start_matches(is_blank);
        let (written, is_expanded) = match value.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            Some(quote) => {
                let Some((inner, behind)) = quoted(&value[1..], quote) else { return variables };
                // What stands behind the closing quote is the next statement.
                rest = behind;
                if quote == '"' { (escaped(&inner), true) } else { (inner, false) }
            }
            None => {
                let end = value.find('\n').unwrap_or(value.len());
                rest = &value[end..];
                let bare = value[..end].split(" #").next().unwrap_or_default();
                (bare.trim_end().to_string(), true)
            }
        };
        let known = if is_expanded {
            let expanded = interpolate(&written, &variables).ok();
            expanded.filter(|value| {
                let growth = value.len().saturating_sub(written.len());
                room.checked_sub(growth).inspect(|left| room = *left).is_some()
            })
        } else {
            Some(written)
        };
        variables.insert(name.to_string(), known);
    }
}

/// Splits a statement behind `=` or `:` into its name and what follows; `None` for one that sets nothing.
fn name_of(statement: &str) -> Option<(&str, &str)> {
    let behind_export = statement.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
    let statement = behind_export.map_or(statement, |rest| rest.trim_start_matches(is_blank));
    let is_part = |c: char| is_blank(c) || c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']');
    let end = statement.find(|c| !is_part(c))?;
    let name = statement[..end].trim_end();
    let is_set = statement[end..].starts_with(['=', ':']) && !name.is_empty() && !name.contains(is_blank);
    is_set.then(|| (name, &statement[end + 1..]))
}

/// Returns whether a character is a blank within a line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// Reads up to the closing quote; gives the text between, and what follows. Only a quote is escaped here.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '\\' if !is_escaped => {
                is_escaped = true;
                continue;
            }
            c if c == quote && !is_escaped => return Some((out, &text[at + 1..])),
            c if c == quote => {}
            _ if is_escaped => out.push('\\'),
            _ => {}
        }
        is_escaped = false;
        out.push(c);
    }
    None
}

/// Replaces the escapes of double quotes, before variables are: `\$` becomes `$$`. Others stay as they are.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let octal = rest.strip_prefix('0').map(|digits| {
            let end = digits.bytes().take(3).take_while(u8::is_ascii_digit).count();
            &digits[..end]
        });
        let simple = match rest.chars().next() {
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('c') => None,
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\u{b}'),
            Some(c @ ('"' | '\\')) => Some(c),
            _ => None,
        };
        if rest.starts_with('$') {
            out.push_str("$$");
            rest = &rest[1..];
        } else if let Some(digits) = octal {
            // Compose takes the zero away, also where three octal digits do not follow.
            let code = u32::from_str_radix(digits, 8).ok().filter(|code| digits.len() == 3 && *code < 256);
            match code.and_then(char::from_u32) {
                Some(c) => out.push(c),
                None => out.extend(['\\'].into_iter().chain(digits.chars())),
            }
            rest = &rest[1 + digits.len()..];
        } else if let Some(c) = simple {
            out.push(c);
            rest = &rest[1..];
        } else {
            out.push('\\');
        }
    }
    out.push_str(rest);
    out
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
    fn an_env_file_reads_as_compose_reads_it() {
        let text =
            b"A=a # c\nB=\"b # c\" # d\nC='c $A'\nD=d#e\nE = e \nF: f\nH=\"h\ni\"\nI=$A-x\nK='it\\'s'\r\n\
            L=\"a\\nb\"\nM=a\\nb\nN=${ZZ:-dd}\nO=\nP=\"$$A\"\nQ='x'y\nR=$UNSET\n A2=1\nA2=2\n#S=1\nT\nU=u";
        let variables = read_env(text);
        let known = |(name, value): (&String, &Option<String>)| Some(format!("{name}={}", value.as_ref()?));
        let got: Vec<_> = variables.iter().filter_map(known).collect();
        let expected = [
            "A=a", "A2=2", "B=b # c", "C=c $A", "D=d#e", "E=e", "F=f", "H=h\ni", "I=a-x", "K=it's", "L=a\nb",
            "M=a\\nb", "N=dd", "O=", "P=$A", "Q=x", "U=u",
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn variables_that_would_double_and_double_again_are_left_out() {
        let doubled = |n: usize| format!("V{}=\"${{V{n}}}$V{n}\"\n", n + 1);
        let bomb: String = (0..60).map(doubled).collect();
        let variables = read_env(format!("V0=0123456789abcdef\n{bomb}END=end\n").as_bytes());
        assert_eq!(variables["V8"].as_ref().map(String::len), Some(4096));
        assert!(variables["V20"].is_none() && variables["END"].as_deref() == Some("end"));

        let literal = "x".repeat(500_000);
        let copies: String = (0..20_000).map(|n| format!("C{n}=$L\n")).collect();
        let shorter: String = (0..20_000).map(|n| format!("S{n}=$M\n")).collect();
        let text = format!("L={literal}\nM={}\n{copies}{shorter}", "y".repeat(4000));
        let variables = read_env(text.as_bytes());
        assert_eq!(variables["L"].as_ref(), Some(&literal), "what is written out is as long as it is");
        let total: usize = variables.values().flatten().map(String::len).sum();
        assert!(total < 500_000 + 300_000, "{total}");
        assert_eq!(interpolate("${L}", &variables), Err("L".into()));
        assert_eq!(interpolate(&"$M".repeat(100_000), &variables), Err("M".into()));
    }

    #[test]
    fn what_no_file_sets_is_not_guessed() {
        check("p:${TAG}", Err("TAG"));
        check("p:$TAG", Err("TAG"));
        check("${TAG?say it}", Err("TAG"));
        check("${F}", Err("F"));
    }

    #[test]
    fn what_is_malformed_is_named_without_what_stands_behind_it() {
        check("${PW hunter2", Err("PW"));
        check("${PW!hunter2}", Err("PW"));
    }

    #[test]
    fn a_doubled_dollar_is_not_a_variable() {
        assert!(!has_variables("a$$b"));
        assert!(has_variables("a${B}"));
    }
}
