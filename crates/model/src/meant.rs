//! What was probably meant by a value that the schema refuses.

use serde_json::Value;

use crate::form::{CONTAINER, TARGET, TIMEOUT};
use crate::image::Image;
use crate::release::Release;
use crate::schema;
use crate::written::in_flow;

/// Returns what to write for a value of another type, and what a safe replacement would be.
pub(crate) fn retyped(
    expected: &str,
    found: &Value,
    shown: &str,
    raw: &str,
    rule: &Value,
) -> (Option<String>, Option<(String, Value)>) {
    let example = || example_of(rule).map(|example| format!("write {expected}, such as `{example}`"));
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(shown));
    match expected {
        // In quotes it may still be none of the texts that are taken.
        "text" if !found.is_object() && !found.is_array() && !accepts(rule, &shown.into()) => {
            let listed = || Some(allowed(rule)).filter(|all| !all.is_empty());
            let listed = || listed().map(|all| format!("use one of: {}", all.join(", ")));
            (near(rule, shown).or_else(|| form(rule)).or_else(listed).or_else(example), None)
        }
        "text" if !found.is_object() && !found.is_array() => {
            (Some(format!("write \"{shown}\" in quotes")), Some((format!("\"{shown}\""), shown.into())))
        }
        "a list" if found.as_str().is_some_and(|text| text.contains(',')) => {
            let items: Vec<&str> = found.as_str().unwrap_or_default().split(',').map(str::trim).collect();
            let list = format!("[{}]", items.join(", "));
            (Some(format!("write a list: `{list}`")), Some((list, items.into())))
        }
        "a list" if found.as_str().is_some_and(has_plain_words) => {
            let items: Vec<&str> = found.as_str().unwrap_or_default().split_whitespace().collect();
            // A space may be a part of a path, so nothing is replaced.
            (Some(format!("write a list: `[{}]`", items.join(", "))), None)
        }
        "a list" if !found.is_object() => {
            let fix = (!raw.contains('\n')).then(|| (format!("[{raw}]"), vec![found.clone()].into()));
            (example(), fix)
        }
        // What YAML 1.1 took for a switch.
        "true or false" => {
            let (on, off) = (is(&["yes", "on", "y", "true"]), is(&["no", "off", "n", "false"]));
            (Some("write `true` or `false`".into()), (on || off).then(|| (on.to_string(), on.into())))
        }
        "a whole number" => {
            (example(), shown.parse::<i64>().ok().map(|number| (number.to_string(), number.into())))
        }
        "a mapping" if found.as_array().is_some_and(|items| items.iter().all(Value::is_object)) => {
            (Some("remove the `- ` before the keys: a mapping is not a list".into()), None)
        }
        "a mapping" => {
            let keys = rule["properties"].as_object();
            // The value of a key that has few values is known for it.
            let is_value = |rule: &&Value| {
                let values = schema::resolved(rule).map(|rule| allowed(&rule)).unwrap_or_default();
                values.iter().any(|value| value == shown)
            };
            let only = keys.and_then(|keys| keys.iter().find(|(_, rule)| is_value(rule)));
            if let Some((key, _)) = only {
                let text = format!("{{{key}: {shown}}}");
                let value = serde_json::json!({ key.as_str(): shown });
                return (Some(format!("write a mapping: `{text}`")), Some((text, value)));
            }
            let keys = keys.map(|keys| {
                let keys: Vec<_> = keys.keys().map(String::as_str).collect();
                format!("write a mapping; its keys are: {}", keys.join(", "))
            });
            (keys.or_else(example), None)
        }
        _ => (example(), None),
    }
}

/// Returns a text that has the form that a rule asks for, and is written almost like this one: `5min` for `5 minutes`,
/// `Prod-EU` for `Prod EU`.
pub(crate) fn near_form(rule: &Value, text: &str) -> Option<String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim().to_lowercase());
    let unit = match unit.as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "mins" | "minute" | "minutes" => "min",
        "hr" | "hrs" | "hour" | "hours" => "h",
        other => other,
    };
    let near = [format!("{number}{unit}"), text.trim().replace(' ', "-")];
    near.into_iter().find(|near| near != text && accepts(rule, &near.as_str().into()))
}

/// Returns what to write for a text that almost has the form that a rule asks for.
pub(crate) fn near(rule: &Value, text: &str) -> Option<String> {
    let (near, form) = (near_form(rule, text)?, form(rule)?);
    // What is meant says more than any example.
    let form = form.split(", such as").next().unwrap_or_default().trim_start_matches("write ");
    Some(format!("write `{near}`: {form}"))
}

/// Returns what to write for a number that a rule takes with a unit only: `300s` or `5min` for `300`.
pub(crate) fn with_unit(rule: &Value, number: &str) -> Option<String> {
    let seconds = number.parse::<u64>().ok()?;
    let takes = |text: &String| accepts(rule, &text.as_str().into());
    let exact = Some(format!("{seconds}s")).filter(takes).filter(|_| rule["pattern"] == TIMEOUT.pattern)?;
    let minutes = (seconds % 60 == 0).then(|| format!("{}min", seconds / 60)).filter(takes);
    let minutes = minutes.map(|minutes| format!(" or `{minutes}`")).unwrap_or_default();
    let form = form(rule).unwrap_or_default();
    let form = form.split(", such as").next().unwrap_or_default().trim_start_matches("write ");
    Some(format!("write `{exact}`{minutes}: {form}"))
}

/// Returns the first example that the schema has for a value, as it may be written.
pub(crate) fn example_of(rule: &Value) -> Option<String> {
    rule["examples"].get(0).map(in_flow)
}

/// Returns whether a rule asks for a name that takes hyphens for spaces.
pub(crate) fn is_form_of_name(rule: &Value) -> bool {
    rule["pattern"] == TARGET.pattern || rule["pattern"] == CONTAINER.pattern
}

/// Returns the image of Kasm's database whose tag a number is the start of: `kasmweb/postgres:1.16.0` for `1.16`.
pub(crate) fn image_of_tag(number: &str) -> Option<String> {
    let image = format!("kasmweb/postgres:{number}.0");
    let parsed = Image::parse(&image).ok()?;
    (number.matches('.').count() == 1 && Release::is_published(&parsed)).then_some(image)
}

/// Returns what a text must be like, where the schema says it in words.
pub(crate) fn form(rule: &Value) -> Option<String> {
    let words = rule["patternErrorMessage"].as_str()?;
    Some(words.replacen("Write", "write", 1).trim_end_matches('.').to_string())
}

/// Returns the image that a mapping of its parts, as other tools have it, means.
pub(crate) fn image_of(parts: &Value) -> Option<String> {
    let part = |names: &[&str]| names.iter().find_map(|name| parts.get(name)?.as_str());
    let (name, tag) = (part(&["repository", "name"])?, part(&["tag"])?);
    let registry = part(&["registry"]).map(|registry| format!("{registry}/")).unwrap_or_default();
    Some(format!("{registry}{name}:{tag}")).filter(|text| Image::parse(text).is_ok())
}

/// Returns whether a text has several words, and nothing that a list of them would have to quote.
fn has_plain_words(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ' ');
    let mut words = text.split_whitespace();
    text.chars().all(is_plain)
        && words.clone().count() > 1
        && words.all(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'))
}

/// Returns whether a rule of the schema takes a value.
pub(crate) fn accepts(rule: &Value, value: &Value) -> bool {
    let mut alone = rule.clone();
    alone["$defs"] = schema::json()["$defs"].take();
    jsonschema::draft202012::new(&alone).is_ok_and(|validator| validator.is_valid(value))
}

/// Returns the values that a schema lists, in an `enum`, a `const` or a pattern of alternatives.
pub(crate) fn allowed(rule: &Value) -> Vec<String> {
    if let Some(Value::Array(items)) = rule.get("enum") {
        return items.iter().filter_map(|item| item.as_str().map(String::from)).collect();
    }
    if let Some(Value::String(only)) = rule.get("const") {
        return vec![only.clone()];
    }
    let pattern = rule["pattern"].as_str().unwrap_or_default();
    match pattern.strip_prefix("^-?(").and_then(|rest| rest.strip_suffix(")$")) {
        Some(alternatives) => alternatives.split('|').map(String::from).collect(),
        None => Vec::new(),
    }
}
