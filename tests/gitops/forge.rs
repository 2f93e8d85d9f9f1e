//! What stands for GitHub and GitLab: the few calls of their APIs that the pipelines make, over HTTP, with comments and issues
//! that are kept. The real `gh` calls it through a Unix socket, and the real `curl` on the loopback interface.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// What the token must be.
pub(crate) const TOKEN: &str = "token-of-the-pipeline";

/// Whose token it is: on GitHub by name, on GitLab by number.
const OWN: (&str, u64) = ("github-actions[bot]", 17);

/// A comment on the merge request, or an issue.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its number: what GitHub and GitLab call `id`, `number` or `iid`.
    pub(crate) number: u64,
    /// Whether the pipeline wrote it.
    pub(crate) is_own: bool,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) is_open: bool,
}

/// What is kept.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) comments: Vec<Entry>,
    pub(crate) issues: Vec<Entry>,
    /// The calls, as `METHOD path`.
    pub(crate) calls: Vec<String>,
    /// Whether every call is refused.
    pub(crate) refuses: bool,
    /// What is answered, with this status, to calls whose method begins like this.
    pub(crate) broken: Option<(&'static str, u16, &'static str)>,
}

impl State {
    /// Adds what another user wrote.
    pub(crate) fn add_foreign(&mut self, body: &str) {
        for list in [&mut self.comments, &mut self.issues] {
            let number = list.len() as u64 + 1;
            list.push(Entry {
                number,
                is_own: false,
                title: String::new(),
                body: body.to_string(),
                is_open: true,
            });
        }
    }

    /// Adds comments and issues that two pipelines wrote at once.
    pub(crate) fn add_own(&mut self) {
        for (list, mark) in [(&mut self.comments, "plan"), (&mut self.issues, "drift")] {
            Self::write(list, &json!({"body": format!("<!-- kasm-db {mark} -->\nstale")}));
        }
    }

    fn write(list: &mut Vec<Entry>, body: &Value) -> Entry {
        let number = list.last().map_or(0, |last| last.number) + 1;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_string();
        let text_of = |names: [&str; 2]| names.map(text).concat();
        let entry = Entry {
            number,
            is_own: true,
            title: text("title"),
            body: text_of(["body", "description"]),
            is_open: true,
        };
        list.push(entry.clone());
        entry
    }

    fn delete(list: &mut Vec<Entry>, number: &str) -> Option<(u16, Value, String)> {
        let number: u64 = number.parse().ok()?;
        let index = list.iter().position(|entry| entry.number == number)?;
        list.remove(index);
        Some((204, Value::Null, String::new()))
    }

    fn update(list: &mut [Entry], number: &str, body: &Value) -> Option<Entry> {
        let number: u64 = number.parse().ok()?;
        let entry = list.iter_mut().find(|entry| entry.number == number)?;
        if let Some(text) = body["body"].as_str().or(body["description"].as_str()) {
            entry.body = text.to_string();
        }
        let closed = body["state"] == "closed" || body["state_event"] == "close";
        entry.is_open &= !closed;
        Some(entry.clone())
    }
}

/// A running forge.
pub(crate) struct Forge {
    state: Arc<Mutex<State>>,
    /// The port on the loopback interface.
    pub(crate) port: u16,
}

impl Forge {
    /// Listens on a port, and on this socket. The threads end with the process.
    pub(crate) fn start(socket: &Path) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        let unix = UnixListener::bind(socket).unwrap();
        let of_tcp = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let reader = BufReader::new(stream.try_clone().unwrap());
                answer(reader, stream, &of_tcp);
            }
        });
        let of_unix = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in unix.incoming().flatten() {
                let reader = BufReader::new(stream.try_clone().unwrap());
                answer(reader, stream, &of_unix);
            }
        });
        Self { state, port }
    }

    /// Returns what is kept.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the comments that the pipeline wrote.
    pub(crate) fn comments(&self) -> Vec<Entry> {
        self.state().comments.iter().filter(|entry| entry.is_own).cloned().collect()
    }

    /// Returns the issues that the pipeline wrote.
    pub(crate) fn issues(&self) -> Vec<Entry> {
        self.state().issues.iter().filter(|entry| entry.is_own).cloned().collect()
    }
}

/// Answers one request.
fn answer(mut reader: impl BufRead, mut writer: impl Write, state: &Mutex<State>) {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
    let (method, target) = (method.to_string(), target.to_string());
    let (mut length, mut is_form, mut is_allowed) = (0, false, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim_end();
        let Some((name, value)) = header.split_once(':') else { break };
        let value = value.trim_start();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => is_form = value.starts_with("application/x-www-form-urlencoded"),
            "authorization" => is_allowed = value == format!("token {TOKEN}"),
            "private-token" => is_allowed = value == TOKEN,
            "expect" => writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let body = match is_form {
        true => form(&body),
        false => serde_json::from_str(&body).unwrap_or(Value::Null),
    };
    let mut state = state.lock().unwrap();
    state.calls.push(format!("{method} {target}"));
    let broken = state.broken.filter(|(start, ..)| method.starts_with(start));
    let answered = match is_allowed && !state.refuses && broken.is_none() {
        true => route(&mut state, &method, &target, &body),
        false => Some((403, json!({"message": "Forbidden"}), String::new())),
    };
    let (status, value, link) = answered.unwrap_or_else(|| (404, json!({"message": target}), String::new()));
    let (status, text) = match broken {
        Some((_, status, text)) => (status, text.to_string()),
        None if value.is_null() => (status, String::new()),
        None => (status, value.to_string()),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{link}Connection: close\r\n\r\n",
        text.len()
    );
    // A client that has read enough may have hung up.
    let _ = writer.write_all(head.as_bytes());
    let _ = writer.write_all(text.as_bytes());
}

/// Returns the status, the answer, and the header with the next page.
fn route(state: &mut State, method: &str, target: &str, body: &Value) -> Option<(u16, Value, String)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = form(query);
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let is_open = query["state"] == "open" || query["state"] == "opened";
    let kept =
        |entries: &[Entry]| entries.iter().filter(|entry| entry.is_open || !is_open).cloned().collect();
    let page = |entries: Vec<Entry>, shown: fn(&Entry) -> Value| {
        let size = query["per_page"].as_str().unwrap_or("30").parse::<usize>().unwrap();
        let number = query["page"].as_str().unwrap_or("1").parse::<usize>().unwrap();
        let rows: Vec<Value> = entries.iter().skip((number - 1) * size).take(size).map(shown).collect();
        let more = entries.len() > number * size;
        let next = format!(
            "http://api.github.localhost{path}?per_page={size}&state={}&page={}",
            query["state"].as_str().unwrap_or("all"),
            number + 1
        );
        let link = if more { format!("Link: <{next}>; rel=\"next\"\r\n") } else { String::new() };
        Some((200, Value::Array(rows), link))
    };
    let done = |entry: Entry, shown: fn(&Entry) -> Value| Some((200, shown(&entry), String::new()));
    match (method, parts.as_slice()) {
        ("GET", ["repos", "team", "kasm", "issues", "7", "comments"]) => {
            page(state.comments.clone(), on_github)
        }
        ("POST", ["repos", "team", "kasm", "issues", "7", "comments"]) => {
            done(State::write(&mut state.comments, body), on_github)
        }
        ("PATCH", ["repos", "team", "kasm", "issues", "comments", id]) => {
            done(State::update(&mut state.comments, id, body)?, on_github)
        }
        ("DELETE", ["repos", "team", "kasm", "issues", "comments", id]) => {
            State::delete(&mut state.comments, id)
        }
        ("GET", ["repos", "team", "kasm", "issues"]) => page(kept(&state.issues), on_github),
        ("POST", ["repos", "team", "kasm", "issues"]) => {
            done(State::write(&mut state.issues, body), on_github)
        }
        ("PATCH", ["repos", "team", "kasm", "issues", number]) => {
            done(State::update(&mut state.issues, number, body)?, on_github)
        }
        ("GET", ["api", "v4", "user"]) => Some((200, json!({"id": OWN.1}), String::new())),
        ("GET", ["api", "v4", "projects", "3", "merge_requests", "7", "notes"]) => {
            page(state.comments.clone(), on_gitlab)
        }
        ("POST", ["api", "v4", "projects", "3", "merge_requests", "7", "notes"]) => {
            done(State::write(&mut state.comments, body), on_gitlab)
        }
        ("PUT", ["api", "v4", "projects", "3", "merge_requests", "7", "notes", id]) => {
            done(State::update(&mut state.comments, id, body)?, on_gitlab)
        }
        ("DELETE", ["api", "v4", "projects", "3", "merge_requests", "7", "notes", id]) => {
            State::delete(&mut state.comments, id)
        }
        ("GET", ["api", "v4", "projects", "3", "issues"]) => page(kept(&state.issues), on_gitlab),
        ("POST", ["api", "v4", "projects", "3", "issues"]) => {
            done(State::write(&mut state.issues, body), on_gitlab)
        }
        ("PUT", ["api", "v4", "projects", "3", "issues", number]) => {
            done(State::update(&mut state.issues, number, body)?, on_gitlab)
        }
        _ => None,
    }
}

fn on_github(entry: &Entry) -> Value {
    let login = if entry.is_own { OWN.0 } else { "mallory" };
    json!({"id": entry.number, "number": entry.number, "user": {"login": login}, "title": entry.title, "body": entry.body})
}

fn on_gitlab(entry: &Entry) -> Value {
    let author = if entry.is_own { OWN.1 } else { 18 };
    // A note has an `id` and a `body`, an issue an `iid` and a `description`; what is not asked for does no harm.
    json!({
        "id": entry.number, "iid": entry.number, "author": {"id": author}, "title": entry.title,
        "body": entry.body, "description": entry.body,
    })
}

/// Reads `a=b&c=d` with its escapes.
fn form(text: &str) -> Value {
    let decoded = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let digits = std::str::from_utf8(&rest[..2]).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = &rest[2..];
                }
                _ => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    Value::Object(pairs.map(|(name, value)| (decoded(name), Value::String(decoded(value)))).collect())
}
