//! The entry for SchemaStore, from which editors learn which schema a file has without being told. It names a public address, and
//! is left out while the project has none.

use std::fs;

use serde_json::{Value, json};
use testing::repository;

/// The committed entry.
const ENTRY: &str = "schemas/schemastore.json";

/// Returns the entry of a project with this address.
fn entry(address: &str) -> Option<Value> {
    let entry = json!({
        "name": "kasm-db",
        "description": "The configuration of the PostgreSQL database of Kasm Workspaces",
        // Not `kasm-db.yml`: workflows and templates have that name.
        "fileMatch": ["kasm-db.yaml", "*.kasm-db.yaml"],
        "url": format!("{address}/schemas/kasm-db.v1.schema.json"),
    });
    (!address.is_empty()).then_some(entry)
}

#[test]
fn the_entry_for_schemastore_is_that_of_the_public_address() {
    let path = repository().join(ENTRY);
    let wanted = entry(model::schema::ADDRESS).map(|entry| format!("{entry:#}\n"));
    if std::env::var_os("KASM_DB_BLESS").is_some() {
        match &wanted {
            Some(text) => fs::write(&path, text).unwrap(),
            None => drop(fs::remove_file(&path)),
        }
    }
    let help = "run `KASM_DB_BLESS=1 cargo test -p kasm-db --test gitops schema_store`";
    assert!(fs::read_to_string(&path).ok() == wanted, "{ENTRY}: {help}");
    assert_eq!(model::schema::id().is_some(), wanted.is_some());
    let url = entry("https://example.com").unwrap()["url"].clone();
    assert_eq!(url, "https://example.com/schemas/kasm-db.v1.schema.json");
    assert!(repository().join("schemas/kasm-db.v1.schema.json").exists());
}
