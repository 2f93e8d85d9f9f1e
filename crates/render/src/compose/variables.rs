//! Compose's variables: `.env` files and `$NAME` in scalars.

use std::collections::BTreeMap;

/// The variables that Compose would know, as far as files tell.
pub(crate) type Variables = BTreeMap<String, String>;

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
            out.push_str(variables.get(&rest[..end]).ok_or_else(|| rest[..end].to_string())?);
            if out.len() > most {
                return Err(rest[..end].to_string());
            }
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
        _ => Err(name.to_string()),
    }
}

/// Reads a `.env` file: `NAME=value` or `NAME: value`, quotes that may go over lines, `export`, comments.
///
/// A line that is none of these is left out, and so is a value with a variable that nothing sets: what
/// Compose makes of it can come from the shell. So is one that variables make longer than anything it could
/// stand for.
pub(crate) fn read_env(bytes: &[u8]) -> Variables {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut variables = Variables::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut room = MAX_GROWTH_OF_FILE;
    let mut meant = |written: &str, variables: &Variables| {
        let value = interpolate(written, variables).ok()?;
        room = room.checked_sub(value.len().saturating_sub(written.len()))?;
        Some(value)
    };
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let start = line.trim_start();
        let start = start.strip_prefix("export ").map_or(start, str::trim_start);
        let name = start.find(['=', ':']).map(|end| (start[..end].trim_end(), end));
        let Some((name, end)) = name.filter(|(name, _)| !name.is_empty() && name_end(name) == name.len())
        else {
            rest = after;
            continue;
        };
        let value = start[end + 1..].trim_start();
        let known = match value.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            Some(quote) => {
                // The value may go on behind this line's end.
                let open = line.len() - value.len();
                let Some((value, behind)) = quoted(&rest[open + 1..], quote) else { break };
                rest = behind.split_once('\n').map_or("", |(_, after)| after);
                if quote == '"' { meant(&value, &variables) } else { Some(value) }
            }
            None => {
                rest = after;
                let bare = value.split(" #").next().unwrap_or_default().trim_end();
                meant(if bare.starts_with('#') { "" } else { bare }, &variables)
            }
        };
        match known {
            Some(value) => variables.insert(name.to_string(), value),
            None => variables.remove(name),
        };
    }
    variables
}

/// Reads up to the closing quote; gives the value and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((out, &text[at + 1..])),
            '\\' => match (chars.next()?.1, quote) {
                ('\'', '\'') => out.push('\''),
                (other, '\'') => out.extend(['\\', other]),
                ('n', _) => out.push('\n'),
                ('r', _) => out.push('\r'),
                ('t', _) => out.push('\t'),
                (other, _) => out.push(other),
            },
            c => out.push(c),
        }
    }
    None
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
        let got: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
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
        assert_eq!(variables["V8"].len(), 4096);
        assert!(!variables.contains_key("V20") && variables["END"] == "end");

        let literal = "x".repeat(500_000);
        let copies: String = (0..20_000).map(|n| format!("C{n}=$L\n")).collect();
        let shorter: String = (0..20_000).map(|n| format!("S{n}=$M\n")).collect();
        let text = format!("L={literal}\nM={}\n{copies}{shorter}", "y".repeat(4000));
        let variables = read_env(text.as_bytes());
        assert_eq!(variables["L"], literal, "what is written out is as long as it is");
        let total: usize = variables.values().map(String::len).sum();
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
    fn a_doubled_dollar_is_no_variable() {
        assert!(!has_variables("a$$b"));
        assert!(has_variables("a${B}"));
    }
}
