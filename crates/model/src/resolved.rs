//! The document and those that it extends as one text.

use serde_json::Value;

use crate::extends::Parents;
use crate::locations::Texts;
use crate::pointer::escaped;
use crate::reader::Reader;
use crate::schema;
use crate::written::Written;

/// Writes what a document and those that it extends come to, as a document that needs no other.
///
/// Keys come in the order of the schema, those that a map takes freely in the order of the texts. What a
/// parent brings has its path behind it, as seen from the document's own folder, and never the name of a
/// folder above. Free `x-…` keys and comments are left out. `None` for a document with errors.
pub fn resolved(path: &str, bytes: &[u8], parents: &Parents<'_>) -> Option<String> {
    // The paths of parents must not depend on where the document is asked for from.
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let name = path.strip_prefix(folder.as_str()).unwrap_or(path);
    let below = |parent: &str| parents(&pgconf::normalize(&format!("{folder}{parent}")));
    crate::read_with(name, bytes, &below).desired?;
    let mut reader = Reader::new(name, bytes);
    let value = reader.value(&below)?;
    let mut written = Written::default();
    write(&mut written, &reader.texts, &ordered(&value, ""), "");
    Some(written.text().to_string())
}

/// Returns what [`resolved`] writes as a value.
pub fn resolved_value(path: &str, bytes: &[u8], parents: &Parents<'_>) -> Option<Value> {
    crate::read_with(path, bytes, parents).desired?;
    let mut value = ordered(&Reader::new(path, bytes).value(parents)?, "");
    if let Value::Object(map) = &mut value {
        map.retain(|key, _| key != "extends" && !key.starts_with("x-"));
    }
    Some(value)
}

/// Writes the entries of a mapping, and says of each which parent it comes from.
fn write(to: &mut Written, texts: &Texts<'_>, value: &Value, pointer: &str) {
    let Value::Object(map) = value else { return };
    for (key, value) in map.iter().filter(|(key, _)| !(pointer.is_empty() && *key == "extends")) {
        let below = format!("{pointer}/{}", escaped(key));
        if value.as_object().is_some_and(|map| !map.is_empty()) {
            to.open(key);
            write(to, texts, value, &below);
            to.close();
            continue;
        }
        let note = match texts.value(0..texts.len(), &below).text {
            0 => String::new(),
            text => format!("from {}", texts.path(text)),
        };
        to.noted(key, value, &note);
    }
}

/// Puts the keys of all mappings into the order of the schema, and those that it does not name behind them.
fn ordered(value: &Value, pointer: &str) -> Value {
    match value {
        Value::Object(map) => {
            let order = schema::keys(pointer);
            let mut entries: Vec<_> = map.iter().collect();
            entries
                .sort_by_key(|(key, _)| order.iter().position(|known| known == *key).unwrap_or(usize::MAX));
            let entry = |(key, value): (&String, &Value)| {
                (key.clone(), ordered(value, &format!("{pointer}/{}", escaped(key))))
            };
            Value::Object(entries.into_iter().map(entry).collect())
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(index, item)| ordered(item, &format!("{pointer}/{index}"))).collect()
        }
        scalar => scalar.clone(),
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
min_version: '0.1.0' # from ../base.kasm-db.yaml
image: kasmweb/postgres:1.16.0 # from ../base.kasm-db.yaml
preload:
  libraries: [pgaudit] # from ../base.kasm-db.yaml
audit:
  classes: [read, write] # from ../base.kasm-db.yaml
  log_catalog: true
  databases: [kasm, '1']
settings:
  work_mem: 16MB
  my.note: 'a: b # ''c''' # from ../base.kasm-db.yaml
  log_min_duration_statement: 250
  my.empty: ''
unset: []
targets:
  - name: eu
    deployment: /opt/kasm/current
  - name: files
    files:
      compose: [a.yaml, 'b c.yaml']
      service: db
"#
        );
    }

    #[test]
    fn what_is_written_means_the_same_and_is_written_again() {
        let text = resolved("site/kasm-db.yaml", SITE.as_bytes(), &parents).unwrap();
        let mut two = read_with("site/kasm-db.yaml", SITE.as_bytes(), &parents).desired.unwrap();
        let mut one = crate::read("kasm-db.yaml", text.as_bytes()).desired.unwrap();
        // It is declared elsewhere.
        one.places = crate::locations::Places::default();
        two.places = crate::locations::Places::default();
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        let again = resolved("kasm-db.yaml", text.as_bytes(), &parents).unwrap();
        assert_eq!(again, text.replace(" # from ../base.kasm-db.yaml", ""));
    }

    #[test]
    fn a_document_with_errors_is_not_written() {
        assert_eq!(resolved("kasm-db.yaml", b"schema: kasm-db/v1\nimage: x\n", &parents), None);
        assert_eq!(resolved("kasm-db.yaml", b"extends: nowhere/kasm-db.yaml\n", &parents), None);
    }
}
