//! What a server sends, looked at before it is read: how much it is, and how the server wants to know who connects.
//!
//! A message of PostgreSQL's protocol names its length before it comes, and whoever reads it makes room for it. So the
//! bounds hold here, below the client's library.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::auth::{Allowed, Method};
use crate::session::{ANSWER_BYTES, ANSWER_ROWS};

/// The most bytes of a message that is not a row.
const MESSAGE_BYTES: u64 = 1 << 20;

/// The most bytes of all messages that nobody asked for: notices, notifications and changed parameters.
const NOTICE_BYTES: u64 = 1 << 20;

/// The most columns of a row; no question has more than eleven.
const COLUMNS: u16 = 16;

/// The most bytes of a message about authentication.
const AUTH_BYTES: u64 = 1 << 16;

/// The most rounds of hashing that a server may ask for. A server has 4,096 unless told otherwise; each costs the client
/// time, in which no limit of time is looked at.
const ROUNDS: u64 = 1_000_000;

/// The most messages of a session besides its rows.
const OTHERS: usize = 10_000;

/// Why no more is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the server sent more than {} MiB in one session", ANSWER_BYTES >> 20)]
    Bytes,
    #[error("the server sent more than {ANSWER_ROWS} rows in one session")]
    Rows,
    #[error("the server announced a message of {0} bytes")]
    Message(u64),
    #[error("the server sent more than {} MiB of notices", NOTICE_BYTES >> 20)]
    Notices,
    #[error("the server sent more than {OTHERS} messages that are not rows in one session")]
    Messages,
    #[error("the server sent a row of {0} columns, which was not asked for")]
    Columns(u16),
    #[error("the server asks for {0} rounds of hashing the password")]
    Rounds(u64),
    #[error("the server asks for the password in the clear, and the connection has no TLS")]
    Clear,
    #[error("the server asks for the authentication method `{}`, which PGREQUIREAUTH does not allow", .0.name())]
    Method(Method),
    #[error("the server lets the user in without authentication, which PGREQUIREAUTH does not allow")]
    NoMethod,
}

impl Refusal {
    /// Returns what to do about it.
    pub(crate) fn fix(&self) -> &'static str {
        match self {
            Self::Clear => {
                "use TLS, or the method scram-sha-256 in this user's line of pg_hba.conf instead of password"
            }
            Self::Method(_) | Self::NoMethod => {
                "correct PGREQUIREAUTH, or the method in this user's line of pg_hba.conf"
            }
            Self::Rounds(_) => "check that this is the right server, and its scram_iterations",
            _ => "check that this is the right server: PostgreSQL does not send this to what kasm-db asks",
        }
    }
}

/// What one connection may send.
pub(crate) struct Frames {
    allowed: Allowed,
    /// Whether a password in the clear could be read by others on its way.
    is_open: bool,
    /// The first refusal, for whoever asks why the connection ended.
    refused: Arc<OnceLock<Refusal>>,
    asked: bool,
    /// The start of the message that is coming: its type and length, and what is looked at of its content.
    start: Vec<u8>,
    /// How many bytes of `start` are wanted.
    wanted: usize,
    /// How many bytes of the message come behind `start`.
    rest: u64,
    bytes: usize,
    notices: u64,
    messages: usize,
    rows: usize,
}

/// The type and the length of a message.
const HEAD: usize = 5;

impl Frames {
    /// Starts to look at a connection; a refusal is also put into `refused`.
    pub(crate) fn new(allowed: Allowed, is_open: bool, refused: Arc<OnceLock<Refusal>>) -> Self {
        Self {
            allowed,
            is_open,
            refused,
            asked: false,
            start: Vec::new(),
            wanted: HEAD,
            rest: 0,
            bytes: 0,
            notices: 0,
            messages: 0,
            rows: 0,
        }
    }

    /// Accepts the next bytes of the connection.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes += bytes.len();
        if self.bytes > ANSWER_BYTES {
            return Err(Refusal::Bytes);
        }
        while !bytes.is_empty() {
            // What is behind `start` comes when that is complete.
            if self.start.is_empty() && self.rest > 0 {
                let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (self.wanted - self.start.len()).min(bytes.len());
            self.start.extend(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.start.len() == HEAD && self.wanted == HEAD {
                self.head()?;
            }
            if self.start.len() == self.wanted {
                self.content()?;
                self.start.clear();
                self.wanted = HEAD;
            }
        }
        Ok(())
    }

    /// Looks at the type and length of a message.
    fn head(&mut self) -> Result<(), Refusal> {
        let Some((&kind, length)) = self.start.split_first() else { return Ok(()) };
        let length = length.try_into().map_or(0, u32::from_be_bytes);
        // The length counts itself.
        let content = u64::from(length).saturating_sub(4);
        let most = match kind {
            b'D' => ANSWER_BYTES as u64,
            b'R' => AUTH_BYTES,
            _ => MESSAGE_BYTES,
        };
        if content > most {
            return Err(Refusal::Message(content));
        }
        if matches!(kind, b'N' | b'A' | b'S') {
            self.notices += content;
            if self.notices > NOTICE_BYTES {
                return Err(Refusal::Notices);
            }
        }
        let count = if kind == b'D' { &mut self.rows } else { &mut self.messages };
        *count += 1;
        if self.rows > ANSWER_ROWS {
            return Err(Refusal::Rows);
        }
        if self.messages > OTHERS {
            return Err(Refusal::Messages);
        }
        let looked_at = match kind {
            b'D' => content.min(2),
            b'R' => content,
            _ => 0,
        };
        self.wanted = HEAD + usize::try_from(looked_at).unwrap_or_default();
        self.rest = content - looked_at;
        Ok(())
    }

    /// Looks at what a message holds.
    fn content(&mut self) -> Result<(), Refusal> {
        let (head, content) = self.start.split_at(HEAD);
        match head[0] {
            b'D' => {
                let columns = content.try_into().map_or(0, u16::from_be_bytes);
                if columns > COLUMNS { Err(Refusal::Columns(columns)) } else { Ok(()) }
            }
            b'R' => {
                let Some((code, data)) = content.split_first_chunk() else { return Ok(()) };
                authentication(u32::from_be_bytes(*code), data, &self.allowed, self.is_open, &mut self.asked)
            }
            _ => Ok(()),
        }
    }
}

/// Judges a message about authentication by its code, as the protocol numbers them.
fn authentication(
    code: u32,
    data: &[u8],
    allowed: &Allowed,
    is_open: bool,
    asked: &mut bool,
) -> Result<(), Refusal> {
    let method = match code {
        0 if *asked || allowed.allows(Method::None) => return Ok(()),
        0 => return Err(Refusal::NoMethod),
        11 => return rounds(data),
        3 => Method::Password,
        5 => Method::Md5,
        7 | 8 => Method::Gss,
        9 => Method::Sspi,
        10 => Method::ScramSha256,
        // The library has nothing else either, and says so.
        _ => return Ok(()),
    };
    *asked = true;
    if !allowed.allows(method) {
        return Err(Refusal::Method(method));
    }
    if method == Method::Password && is_open {
        return Err(Refusal::Clear);
    }
    Ok(())
}

/// Looks at how many rounds the server's first message of SCRAM asks for: `r=…,s=…,i=4096`.
fn rounds(data: &[u8]) -> Result<(), Refusal> {
    let number = data.split(|&byte| byte == b',').find_map(|part| part.strip_prefix(b"i="));
    let number = number.and_then(|number| std::str::from_utf8(number).ok()?.parse().ok());
    match number {
        Some(rounds) if rounds > ROUNDS => Err(Refusal::Rounds(rounds)),
        _ => Ok(()),
    }
}

/// A connection whose server may send no more than [`Frames`] lets through.
pub(crate) struct Framed<S> {
    stream: S,
    frames: Frames,
}

impl<S> Framed<S> {
    pub(crate) fn new(stream: S, frames: Frames) -> Self {
        Self { stream, frames }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let taken = self.frames.take(&buf.filled()[before..]);
        Poll::Ready(taken.map_err(|refusal| {
            // Nothing of it may be read: room is made for a message as soon as its length is known.
            buf.set_filled(before);
            let refusal = self.frames.refused.get_or_init(|| refusal);
            io::Error::other(refusal.clone())
        }))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(allowed: &str, is_open: bool) -> Frames {
        Frames::new(Allowed::parse(allowed).unwrap(), is_open, Arc::default())
    }

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, content].concat()
    }

    /// Accepts a message whole, and byte by byte: where it is torn makes no difference.
    fn taken(frames: impl Fn() -> Frames, bytes: &[u8]) -> Result<(), Refusal> {
        let whole = frames().take(bytes);
        let mut torn = frames();
        assert_eq!(bytes.chunks(1).try_for_each(|byte| torn.take(byte)), whole);
        whole
    }

    #[test]
    fn a_length_is_refused_before_room_is_made_for_it() {
        let any = || frames("", false);
        let head = |kind, length: u32| [&[kind][..], &length.to_be_bytes()].concat();
        assert_eq!(taken(any, &head(b'D', u32::MAX)), Err(Refusal::Message(u64::from(u32::MAX) - 4)));
        assert_eq!(taken(any, &head(b'E', 2 << 20)), Err(Refusal::Message((2 << 20) - 4)));
        assert_eq!(taken(any, &head(b'D', 20 << 20)), Ok(()));
        assert_eq!(taken(any, &message(b'D', &[0, 17])), Err(Refusal::Columns(17)));
        let row = message(b'D', &[&[0, 11][..], &[0xff; 44]].concat());
        assert_eq!(taken(any, &row.repeat(3)), Ok(()));
    }

    #[test]
    fn what_nobody_asked_for_and_rows_are_counted_over_the_whole_session() {
        let end_of = |one: &[u8]| {
            let mut frames = frames("", false);
            (0..1_000_000).find_map(|number| frames.take(one).err().map(|refusal| (number, refusal))).unwrap()
        };
        assert_eq!(end_of(&message(b'N', &[0; 1024])), (1024, Refusal::Notices));
        assert_eq!(end_of(&message(b'S', &[])), (OTHERS, Refusal::Messages));
        assert_eq!(end_of(&message(b'D', &[0, 0])), (ANSWER_ROWS, Refusal::Rows));
        assert_eq!(end_of(&message(b'D', &[0; 1 << 20])).1, Refusal::Bytes);
    }

    #[test]
    fn a_method_is_judged_before_a_password_is_sent() {
        let asks = |code: u8, data: &[u8]| message(b'R', &[&[0, 0, 0, code][..], data].concat());
        let scram = [asks(10, b"SCRAM-SHA-256\0\0"), asks(11, b"r=x,s=y,i=4096"), asks(0, b"")].concat();
        let clear = || frames("", true);
        assert_eq!(taken(clear, &asks(3, b"")), Err(Refusal::Clear));
        assert_eq!(taken(|| frames("", false), &asks(3, b"")), Ok(()));
        assert_eq!(taken(clear, &asks(5, b"salt")), Ok(()));
        assert_eq!(taken(clear, &asks(0, b"")), Ok(()));
        for allowed in ["scram-sha-256", "!md5,!password,!none"] {
            let only = || frames(allowed, false);
            assert_eq!(taken(only, &scram), Ok(()));
            assert_eq!(taken(only, &asks(5, b"salt")), Err(Refusal::Method(Method::Md5)));
            assert_eq!(taken(only, &asks(3, b"")), Err(Refusal::Method(Method::Password)));
            assert_eq!(taken(only, &asks(0, b"")), Err(Refusal::NoMethod));
        }
        let many = asks(11, b"r=x,s=y,i=4294967295");
        assert_eq!(taken(clear, &many), Err(Refusal::Rounds(4_294_967_295)));
    }
}
