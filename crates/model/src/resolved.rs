//! The document and those that it extends as one text.

use std::fmt::Write as _;

use serde_json::Value;

use crate::extends::Parents;
use crate::read::Reader;
use crate::schema;
use crate::texts::Texts;
use crate::violations::escaped;

/// Writes what a document and those that it extends come to, as a document that needs no other.
///
/// Keys come in the order of the schema, those that a map takes freely in the order of the texts. What a
/// parent brings has its path behind it, as seen from the document's own folder, and never the name of a
/// folder above. Free `x-…` keys and comments are left out. `None` for a document with errors.
pub fn resolved(path: &str, bytes: &[u8], parents: &Parents<'_>) -> Option<String> {
    // The paths of parents shall not depend on where the document is asked for from.
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let name = path.strip_prefix(folder.as_str()).unwrap_or(path);
    let below = |parent: &str| parents(&crate::extends::normal(&format!("{folder}{parent}")));
    crate::read_with(name, bytes, &below).desired?;
    let mut reader = Reader::new(name, bytes);
    let value = reader.value(&below)?;
    let mut printer = Printer { texts: &reader.texts, out: String::new() };
    printer.mapping(&value, "", 0);
    Some(printer.out)
}

/// Writes a text as a scalar of YAML that reads back as this text.
pub fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'$')
        })
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '$'))
        && !text.ends_with(':')
        && !is_other_than_text(text);
    // JSON's strings are YAML's, but for what JSON leaves as it is and this reader refuses.
    if is_plain { text.to_string() } else { Value::from(text).to_string() }
}

/// Tells whether a plain scalar may be taken for more than text by a reader of YAML 1.1 or 1.2.
fn is_other_than_text(text: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"];
    let number = text.trim_start_matches(['.', '-', '+']);
    let in_numbers = |b: u8| {
        b.is_ascii_hexdigit() || matches!(b, b'x' | b'X' | b'o' | b'O' | b'_' | b'.' | b':' | b'+' | b'-')
    };
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
        || (number.starts_with(|c: char| c.is_ascii_digit()) && number.bytes().all(in_numbers))
        || matches!(number.to_ascii_lowercase().as_str(), "inf" | "nan" | "")
}

struct Printer<'a> {
    texts: &'a Texts<'a>,
    out: String,
}

impl Printer<'_> {
    /// Writes the entries of a mapping, each on lines of its own.
    fn mapping(&mut self, value: &Value, pointer: &str, indent: usize) {
        let Value::Object(map) = value else { return };
        let mut keys: Vec<&String> = map.keys().collect();
        let order = schema::keys(pointer);
        keys.sort_by_key(|key| order.iter().position(|known| known == *key).unwrap_or(usize::MAX));
        for key in keys.into_iter().filter(|key| !(pointer.is_empty() && *key == "extends")) {
            let below = format!("{pointer}/{}", escaped(key));
            let _ = write!(self.out, "{:indent$}{}:", "", quoted(key));
            self.value(&map[key], &below, indent);
        }
    }

    /// Writes what stands behind a key's colon, and ends the line.
    fn value(&mut self, value: &Value, pointer: &str, indent: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.out.push('\n');
                self.mapping(value, pointer, indent + 2);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let origin = self.origin(pointer);
                let _ = writeln!(self.out, "{origin}");
                for (index, item) in items.iter().enumerate() {
                    let start = self.out.len();
                    self.mapping(item, &format!("{pointer}/{index}"), indent + 4);
                    // The first key stands behind the dash.
                    if self.out.len() > start {
                        self.out.replace_range(start + indent + 2..start + indent + 3, "-");
                    }
                }
            }
            _ => {
                let origin = self.origin(pointer);
                let _ = writeln!(self.out, " {}{origin}", flow(value));
            }
        }
    }

    /// Says which parent a value comes from.
    fn origin(&self, pointer: &str) -> String {
        // An item of a list comes from where the list does.
        let inside = pointer.split('/').any(|part| part.parse::<usize>().is_ok());
        match self.texts.value(0..self.texts.len(), pointer).text {
            0 => String::new(),
            _ if inside => String::new(),
            text => format!(" # from {}", self.texts.path(text)),
        }
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(flow_item).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(_) => "{}".into(),
        other => other.to_string(),
    }
}

/// Writes an item between brackets, where fewer signs may stand without quotes.
fn flow_item(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(':') => Value::from(text.as_str()).to_string(),
        other => flow(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_with;

    const BASE: &str = "schema: kasm-db/v1
min_version: 0.1.0
image: kasmweb/postgres:1.16.0 # ours
preload: {libraries: [pgaudit]}
audit:
  classes: [read, write]
  log_catalog: false
settings: {work_mem: 8MB, my.note: \"a: b # 'c'\"}
x-note: {a: 1}
";
    const SITE: &str = "extends: ../base.kasm-db.yaml
settings: {log_min_duration_statement: 250, work_mem: 16MB, my.empty: ''}
audit: {log_catalog: true, databases: [kasm, \"1\"]}
unset: []
targets:
  - {deployment: /opt/kasm/current, name: eu}
  - name: files
    files: {compose: [a.yaml, \"b c.yaml\"], service: db}
";

    fn parents(path: &str) -> Result<Vec<u8>, String> {
        if path == "base.kasm-db.yaml" { Ok(BASE.into()) } else { Err(format!("no {path}")) }
    }

    #[test]
    fn a_document_and_its_parent_are_written_as_one() {
        let text = resolved("site/kasm-db.yaml", SITE.as_bytes(), &parents).unwrap();
        assert_eq!(
            text,
            r#"schema: kasm-db/v1 # from ../base.kasm-db.yaml
min_version: "0.1.0" # from ../base.kasm-db.yaml
image: kasmweb/postgres:1.16.0 # from ../base.kasm-db.yaml
preload:
  libraries: [pgaudit] # from ../base.kasm-db.yaml
audit:
  classes: [read, write] # from ../base.kasm-db.yaml
  log_catalog: true
  databases: [kasm, "1"]
settings:
  work_mem: 16MB
  my.note: "a: b # 'c'" # from ../base.kasm-db.yaml
  log_min_duration_statement: 250
  my.empty: ""
unset: []
targets:
  - name: eu
    deployment: /opt/kasm/current
  - name: files
    files:
      compose: [a.yaml, "b c.yaml"]
      service: db
"#
        );
    }

    #[test]
    fn what_is_written_means_the_same_and_is_written_again() {
        let text = resolved("site/kasm-db.yaml", SITE.as_bytes(), &parents).unwrap();
        let two = read_with("site/kasm-db.yaml", SITE.as_bytes(), &parents).desired.unwrap();
        let one = crate::read("kasm-db.yaml", text.as_bytes()).desired.unwrap();
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        let again = resolved("kasm-db.yaml", text.as_bytes(), &parents).unwrap();
        assert_eq!(again, text.replace(" # from ../base.kasm-db.yaml", ""));
    }

    #[test]
    fn a_document_with_errors_is_not_written() {
        assert_eq!(resolved("kasm-db.yaml", b"schema: kasm-db/v1\nimage: x\n", &parents), None);
        assert_eq!(resolved("kasm-db.yaml", b"extends: nowhere/kasm-db.yaml\n", &parents), None);
    }

    #[test]
    fn any_text_is_quoted_so_that_it_reads_back() {
        for text in [
            "",
            "a",
            "no",
            "1.10",
            "0x1",
            ".5",
            "a b",
            "a: b",
            "#a",
            "a:",
            "-1",
            "é",
            "'",
            "\"",
            "\\",
            "~",
            ".inf",
            "$libdir/x",
            "1_000",
            "8MB",
            "1e5",
            "1d",
            "12:30",
            "@a",
            "*a",
            "<<",
        ] {
            let document =
                format!("schema: kasm-db/v1\nsettings: {{my.a: {}}}\n", flow_item(&Value::from(text)));
            let desired = crate::read("d", document.as_bytes()).desired.unwrap();
            assert_eq!(desired.settings()[0].value, text, "{document}");
            let document = format!("schema: kasm-db/v1\nsettings:\n  my.a: {}\n", quoted(text));
            assert_eq!(crate::read("d", document.as_bytes()).desired.unwrap().settings()[0].value, text);
        }
    }
}
