//! Asks a server over its socket: of PostgreSQL's protocol what one simple query needs.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// One row: a text for each column, or nothing for NULL.
pub type Row = Vec<Option<Vec<u8>>>;

/// A connection as the superuser, with trust and without any conversion of the bytes.
pub struct Client(UnixStream);

impl Client {
    /// Connects to the server whose socket lies in `folder`.
    pub fn connect(folder: &Path, port: u16) -> io::Result<Self> {
        Self::connect_as(folder, port, "postgres", "postgres", "")
    }

    /// Connects as a user, which calls itself an application.
    pub fn connect_as(
        folder: &Path,
        port: u16,
        user: &str,
        database: &str,
        application: &str,
    ) -> io::Result<Self> {
        let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut client = Self(stream);
        let mut words = format!("user\0{user}\0database\0{database}\0client_encoding\0SQL_ASCII\0");
        // Whoever says nothing leaves it to the server's files.
        if !application.is_empty() {
            words.push_str(&format!("application_name\0{application}\0"));
        }
        words.push('\0');
        let mut hello = 196_608_u32.to_be_bytes().to_vec();
        hello.extend(words.as_bytes());
        client.0.write_all(&(hello.len() as u32 + 4).to_be_bytes())?;
        client.0.write_all(&hello)?;
        client.rows()?.map_err(io::Error::other)?;
        Ok(client)
    }

    /// Runs one or more statements and gives all their rows, or the first error's message.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Row>, String> {
        let mut message = vec![b'Q'];
        message.extend((sql.len() as u32 + 5).to_be_bytes());
        message.extend(sql.as_bytes());
        message.push(0);
        let sent = self.0.write_all(&message);
        sent.and_then(|()| self.rows()).unwrap_or_else(|error| Err(format!("the connection broke: {error}")))
    }

    /// Returns the only value of a query, as text.
    pub fn value(&mut self, sql: &str) -> Result<String, String> {
        let rows = self.query(sql)?;
        let value = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        value.map(|value| lossy(&value)).ok_or_else(|| format!("no value from `{sql}`"))
    }

    /// Reads messages until the server waits for the next query.
    fn rows(&mut self) -> io::Result<Result<Vec<Row>, String>> {
        let (mut rows, mut error) = (Vec::new(), None);
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length - 4];
            self.0.read_exact(&mut body)?;
            match head[0] {
                b'D' => rows.push(row(&body)),
                b'E' => {
                    let fields: Vec<_> = body.split(|&b| b == 0).map(lossy).collect();
                    let field = |key: char| fields.iter().find_map(|field| field.strip_prefix(key));
                    let message = field('M').unwrap_or_default().to_string();
                    if field('S') == Some("FATAL") {
                        return Err(io::Error::other(message));
                    }
                    error.get_or_insert(message);
                }
                b'Z' => return Ok(error.map_or(Ok(rows), Err)),
                _ => {}
            }
        }
    }
}

fn row(body: &[u8]) -> Row {
    let mut at = 2;
    let mut row = Vec::new();
    while at < body.len() {
        let length = i32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        at += 4;
        row.push(usize::try_from(length).ok().map(|length| {
            at += length;
            body[at - length..at].to_vec()
        }));
    }
    row
}

/// Writes a text as a literal of SQL.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns bytes as text.
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
