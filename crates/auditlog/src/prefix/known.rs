//! The prefixes that are widely used.

use super::template::Prefix;

/// Tried if the configuration is not known, or is not the one that a log was written with.
///
/// A longer one stands before those that its lines would fit, too.
const KNOWN: &[&str] = &[
    // Kasm's own postgresql.conf, 1.10 and later.
    "< %m %a %u %d %r %p %i %e %s %c:>",
    // pgBadger's manual, Cloud SQL and AlloyDB, and what is written after them.
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    "%m [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    "%m [%p]: [%l-1] db=%d,user=%u,host=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%m [%p]: [%l-1] user=%u,db=%d ",
    "%t [%p]: [%l-1] db=%d,user=%u ",
    "%m [%p]: [%l-1] db=%d,user=%u ",
    "%t [%p]: [%l-1] ",
    "%m [%p]: [%l-1] ",
    "%t [%p] [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: db=%d,user=%u,app=%a,client=%h ",
    "%m [%p]: db=%d,user=%u,app=%a,client=%h ",
    "%t [%p]: user=%u,db=%d ",
    "%m [%p]: user=%u,db=%d ",
    "%t [%p]: ",
    "%m [%p]: ",
    "user=%u,db=%d,app=%a,client=%h ",
    "user=%u,db=%d ",
    "%t [%p] user=%u db=%d app=%a client=%h ",
    "%m [%p] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p] user=%u,db=%d,app=%a,client=%h ",
    // Amazon RDS: the default, and the one that can be chosen.
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%t:%r:%u@%d:[%p]:",
    // Azure, by itself and with what pgBadger adds.
    "%t-%c-user=%u,db=%d,app=%a,client=%h ",
    "%t-%c-u\"%u\"u-",
    "%t-%c-",
    "%m-%c-",
    // Aiven and DigitalOcean.
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "pid=%p,user=%u,db=%d,app=%a,client=%h ",
    // PostgreSQL's default, Debian's, and older ones of both.
    "%m [%p] %q%u@%d ",
    "%t [%p] %q%u@%d ",
    "%t [%p-%l] %q%u@%d ",
    "%h %m [%p] %q%u@%d ",
    "%m [%p] ",
    "%t [%p] ",
    "< %m >",
    "< %t >",
    "%m ",
    "%t ",
    "",
];

/// Returns the prefixes that are widely used.
pub(crate) fn known() -> impl Iterator<Item = Prefix> {
    KNOWN.iter().map(|text| Prefix { guessed: true, ..Prefix::new(text.as_bytes()) })
}

#[cfg(test)]
mod tests {
    use super::KNOWN;

    #[test]
    fn none_is_there_twice() {
        for (at, prefix) in KNOWN.iter().enumerate() {
            assert!(!KNOWN[..at].contains(prefix), "{prefix}");
        }
    }
}
