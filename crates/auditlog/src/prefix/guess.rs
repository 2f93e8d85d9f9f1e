//! What can be told apart in a prefix that nobody gave.

use super::clock::is_time;
use crate::entry::Parts;
use crate::text::Text;

/// Finds what can be told apart in an unknown prefix, and returns whether each of it is there once only: a name that a
/// client chose may hold `user=` too.
pub(crate) fn guess(head: &[u8]) -> (Parts<'_>, bool) {
    let mut parts = Parts::default();
    let mut is_certain = true;
    let mut value = |name: &str| {
        let mut places = memchr::memmem::find_iter(head, name.as_bytes());
        let at = places.next()? + name.len();
        if places.next().is_some() {
            is_certain = false;
            return None;
        }
        let end = head[at..].iter().position(|b| b" ,;|]".contains(b)).unwrap_or(head.len() - at);
        (end > 0).then(|| Text::plain(&head[at..at + end]))
    };
    parts.time = (0..head.len()).find_map(|start| {
        let rest = head.get(start..start + 19)?;
        if !rest[0].is_ascii_digit() || rest[10] != b' ' {
            return None;
        }
        let longest = (start + 21..=head.len().min(start + 36))
            .rev()
            .find(|end| is_time(&head[start..*end], true) || is_time(&head[start..*end], false))?;
        Some(Text::plain(&head[start..longest]))
    });
    parts.user = value("user=");
    parts.database = value("db=").or_else(|| value("database="));
    parts.application = value("app=");
    parts.host = value("client=").or_else(|| value("host="));
    let bracket = head.iter().position(|b| *b == b'[').and_then(|open| {
        let close = open + 1 + head[open + 1..].iter().position(|b| *b == b']')?;
        let inside = &head[open + 1..close];
        crate::message::is_number(inside).then(|| Text::plain(inside))
    });
    parts.pid = value("pid=").or(bracket);
    (parts, is_certain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_prefix_tells_what_can_be_told_apart() {
        let (parts, is_certain) = guess(b"kasm_db | 2026-11-22 22:46:35.752 UTC [77] user=bob,db=kasm ");
        assert_eq!(&parts.time.unwrap().bytes()[..], b"2026-11-22 22:46:35.752 UTC");
        assert_eq!(&parts.user.unwrap().bytes()[..], b"bob");
        assert_eq!(&parts.database.unwrap().bytes()[..], b"kasm");
        assert_eq!(&parts.pid.unwrap().bytes()[..], b"77");
        assert!(is_certain);
        let (parts, is_certain) = guess(b"app=x user=admin user=bob ");
        assert!(parts.user.is_none() && !is_certain);
    }
}
