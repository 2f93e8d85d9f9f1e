//! A language server on the other end of two pipes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use testing::repository;

/// Nothing takes so long; a server that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running server.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// Counts requests and documents.
    number: i64,
}

impl Server {
    /// Starts the server, or says why it cannot be had. With `CI=true` that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let program = match program() {
            Ok(program) => program,
            Err(why) => {
                assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
                eprintln!("{why}; no editor looks at the schema");
                return None;
            }
        };
        let mut child = Command::new("node")
            .args([program.trim(), "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut server = Self { child, input, messages, number: 0 };
        let capabilities = json!({
            "textDocument": { "completion": {}, "hover": { "contentFormat": ["markdown"] }, "publishDiagnostics": {} },
            "workspace": { "configuration": true },
        });
        server.request(
            "initialize",
            &json!({ "processId": null, "rootUri": null, "capabilities": capabilities }),
        );
        server.notify("initialized", &json!({}));
        server.notify("workspace/didChangeConfiguration", &json!({ "settings": { "yaml": settings() } }));
        // It asks for its settings when it likes to; what it says before knows of no schema.
        let unknown = ["nothing_like_it: 1\n".to_string()];
        while server.diagnose(&unknown)[0].is_empty() {
            assert!(server.number < 1000, "the language server does not take the schema");
        }
        Some(server)
    }

    /// Returns what the server would complete at a place, both counted from 0.
    pub(crate) fn complete(&mut self, text: &str, line: usize, character: usize) -> BTreeSet<String> {
        let answer = self.ask("textDocument/completion", text, line, character);
        let items = answer["items"].as_array().or(answer.as_array()).cloned().unwrap_or_default();
        items.iter().map(|item| item["label"].as_str().unwrap().to_string()).collect()
    }

    /// Returns what the server says of a place.
    pub(crate) fn hover(&mut self, text: &str, line: usize, character: usize) -> String {
        let answer = self.ask("textDocument/hover", text, line, character);
        answer["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// Returns the messages of everything that the server marks in each text.
    pub(crate) fn diagnose(&mut self, texts: &[String]) -> Vec<Vec<String>> {
        // All are open before the first is waited for: the server lets each lie for a moment.
        let uris: Vec<_> = texts.iter().map(|text| self.open(text)).collect();
        let mut said = BTreeMap::new();
        while said.len() < uris.len() {
            let published = self.wait(|message| message["method"] == "textDocument/publishDiagnostics");
            let uri = published["params"]["uri"].as_str().unwrap().to_string();
            let all = published["params"]["diagnostics"].as_array().unwrap();
            let messages: Vec<_> =
                all.iter().map(|one| one["message"].as_str().unwrap().to_string()).collect();
            if uris.contains(&uri) {
                said.insert(uri, messages);
            }
        }
        for uri in &uris {
            self.close(uri);
        }
        uris.iter().map(|uri| said.remove(uri).unwrap()).collect()
    }

    fn ask(&mut self, method: &str, text: &str, line: usize, character: usize) -> Value {
        let uri = self.open(text);
        let answer = self.request(
            method,
            &json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } }),
        );
        self.close(&uri);
        answer
    }

    fn open(&mut self, text: &str) -> String {
        self.number += 1;
        let uri = format!("file:///documents/{}.kasm-db.yaml", self.number);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        uri
    }

    fn close(&mut self, uri: &str) {
        self.notify("textDocument/didClose", &json!({ "textDocument": { "uri": uri } }));
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let id = self.number;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let answer = self.wait(|message| message["id"] == id && message.get("method").is_none());
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Waits for a message, and answers what the server asks in between.
    fn wait(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the language server says nothing");
            if is(&message) {
                return message;
            }
            if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
                let items = message["params"]["items"].as_array().cloned().unwrap_or_default();
                let section = |item: &Value| if item["section"] == "yaml" { settings() } else { json!({}) };
                let result = match &message["method"] {
                    method if method == "workspace/configuration" => {
                        Value::from(items.iter().map(section).collect::<Vec<_>>())
                    }
                    _ => Value::Null,
                };
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
                self.send(&answer);
            }
        }
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The schema for our documents, and none from the network.
fn settings() -> Value {
    let schema = repository().join("schemas/kasm-db.v1.schema.json").canonicalize().unwrap();
    let schema = format!("file://{}", schema.display());
    json!({
        "validate": true, "completion": true, "hover": true,
        "schemaStore": { "enable": false },
        "kubernetesCRDStore": { "enable": false },
        "schemas": { schema: "*.kasm-db.yaml" },
    })
}

/// Returns the path of the server's program, which is fetched if it is not there.
fn program() -> Result<String, String> {
    for tool in ["node", "npm"] {
        if Command::new(tool).arg("--version").output().is_err() {
            return Err(format!("{tool} is not there"));
        }
    }
    let script = repository().join("scripts/get-yaml-language-server");
    let output = Command::new(script).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("the language server cannot be had: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Reads one message; `None` at the end.
fn read(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim() {
            "" => break,
            header => {
                if let Some(text) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
