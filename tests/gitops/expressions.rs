//! The part of GitHub's expressions that the workflow and the action use.

use serde_json::Value;

/// Replaces each `${{ … }}` in a text.
pub(crate) fn filled(text: &str, contexts: &Value) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, tail) = after.split_once("}}").unwrap();
        out.push_str(before);
        out.push_str(&shown(&evaluated(expression, contexts)));
        rest = tail;
    }
    out + rest
}

/// Returns whether a condition holds: an expression, with or without `${{ }}`.
pub(crate) fn holds(condition: &str, contexts: &Value) -> bool {
    let trimmed = condition.trim();
    let inner = trimmed.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
    is_true(&evaluated(inner.unwrap_or(trimmed), contexts))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && *value != "" && *value != 0
}

fn evaluated(expression: &str, contexts: &Value) -> Value {
    let mut parser = Parser { rest: expression.trim_start(), contexts };
    let value = parser.or();
    assert!(parser.rest.is_empty(), "{expression}: what is {}?", parser.rest);
    value
}

struct Parser<'a> {
    rest: &'a str,
    contexts: &'a Value,
}

impl Parser<'_> {
    fn takes(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest).trim_start();
        rest.is_some()
    }

    fn or(&mut self) -> Value {
        let mut left = self.and();
        while self.takes("||") {
            let right = self.and();
            left = if is_true(&left) { left } else { right };
        }
        left
    }

    fn and(&mut self) -> Value {
        let mut left = self.comparison();
        while self.takes("&&") {
            let right = self.comparison();
            left = if is_true(&left) { right } else { left };
        }
        left
    }

    fn comparison(&mut self) -> Value {
        let left = self.not();
        if self.takes("==") {
            return Value::Bool(left == self.not());
        }
        if self.takes("!=") {
            return Value::Bool(left != self.not());
        }
        left
    }

    fn not(&mut self) -> Value {
        if self.takes("!") {
            return Value::Bool(!is_true(&self.not()));
        }
        if self.takes("(") {
            let value = self.or();
            assert!(self.takes(")"));
            return value;
        }
        if let Some(text) = self.rest.strip_prefix('\'') {
            let (text, rest) = text.split_once('\'').unwrap();
            self.rest = rest.trim_start();
            return Value::String(text.into());
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        assert!(!name.is_empty(), "no value at {}", self.rest);
        self.rest = rest.trim_start();
        if self.takes("()") {
            assert_eq!(name, "cancelled", "only what the action uses is known");
            return Value::Bool(false);
        }
        let mut value = self.contexts;
        for part in name.split('.') {
            value = &value[part];
        }
        value.clone()
    }
}

#[test]
fn expressions_are_read_as_github_reads_them() {
    let contexts = serde_json::json!({"a": {"b": "x", "no": false, "empty": ""}});
    let cases = [
        ("a.b == 'x'", true),
        ("a.b != 'x'", false),
        ("a.b == 'y' || !a.c.d", true),
        ("${{ !cancelled() && a.b }}", true),
        ("a.no || a.empty", false),
        ("!(a.no || a.b)", false),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(condition, &contexts), expected, "{condition}");
    }
    assert_eq!(filled("<${{ a.b }}> ${{ a.none }}|${{ a.no }}", &contexts), "<x> |false");
}
