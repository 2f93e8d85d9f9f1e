//! The forms that texts of a document have: for each its pattern in the schema, the same in Rust, and in words.

use crate::audit::Class;

/// One form.
///
/// A regular expression takes longer to build than a document to read, so a function tells what fits.
/// A test of `limits.rs` holds it and the pattern together.
pub(crate) struct Form {
    /// The pattern, as the schema has it.
    pub(crate) pattern: &'static str,
    /// What it asks for; the schema says `Write {words}.`.
    pub(crate) words: &'static str,
    check: fn(&str) -> bool,
}

impl Form {
    /// Returns whether a text has the form.
    pub(crate) fn fits(&self, text: &str) -> bool {
        (self.check)(text)
    }
}

/// A relative path to a document by its name.
///
/// A parent that cannot be read as a document is shown where it is wrong. The name keeps a document from
/// showing lines of any other file.
pub(crate) const DOCUMENT_PATH: Form = Form {
    pattern: r"^([^/~\x00-\x1f][^\x00-\x1f]*/)?([^/~\x00-\x1f][^/\x00-\x1f]*\.)?kasm-db\.ya?ml$",
    words: "a relative path to `kasm-db.yaml` or `….kasm-db.yaml`",
    check: |text| {
        let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
        let stem = ["kasm-db.yaml", "kasm-db.yml"].iter().find_map(|end| name.strip_suffix(end));
        let is_stem = |stem: &str| stem.len() > 1 && stem.ends_with('.') && !stem.starts_with('~');
        stem.is_some_and(|stem| stem.is_empty() || is_stem(stem))
            && !text.starts_with(['/', '~'])
            && !text.contains(|c: char| c < ' ')
    },
};

/// A version.
pub(crate) const VERSION: Form = Form {
    pattern: r"^[0-9]{1,4}(\.[0-9]{1,4}){2}$",
    words: "three numbers with dots in between, such as `0.1.0`",
    check: |text| {
        let parts: Vec<&str> = text.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| (1..=4).contains(&part.len()) && is_number(part))
    },
};

/// A library to preload.
pub(crate) const LIBRARY: Form = Form {
    pattern: r"^(\$libdir/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$",
    words: "the name of a library, such as `pgaudit`, with no path except `$libdir/`",
    check: |text| {
        let name = text.strip_prefix("$libdir/").unwrap_or(text);
        name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.chars().all(is_name_character)
    },
};

/// A class of statements, or one that is taken away.
pub(crate) const CLASS: Form = Form {
    pattern: r"^-?(read|write|function|role|ddl|misc|misc_set|all|none)$",
    words: "read, write, function, role, ddl, misc, misc_set, all, or none; with `-` in front to subtract it",
    check: |text| {
        let name = text.strip_prefix('-').unwrap_or(text);
        Class::names().any(|known| known == name)
    },
};

/// A role's or database's name that can neither be an option nor a connection string.
pub(crate) const IDENTIFIER: Form = Form {
    pattern: r"^[^-\s=/][^\s=/]{0,62}$",
    words: "a name without spaces, `=` and `/` that does not start with `-`",
    check: |text| {
        (1..=63).contains(&text.chars().count())
            && !text.starts_with('-')
            && !text.contains(|c: char| c.is_whitespace() || c == '=' || c == '/')
    },
};

/// The name of a target.
pub(crate) const TARGET: Form = Form {
    pattern: r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    words: "a letter or digit, followed by up to 62 letters, digits, `.`, `_`, and `-`",
    check: |text| text.len() <= 63 && is_name(text),
};

/// The name of a container.
pub(crate) const CONTAINER: Form = Form {
    pattern: r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    words: "a letter or digit, followed by letters, digits, `_`, `.`, and `-`",
    check: is_name,
};

/// A length of time.
pub(crate) const TIMEOUT: Form = Form {
    pattern: r"^[1-9][0-9]{0,5}(s|min|h)$",
    words: "a number followed by `s`, `min`, or `h`, such as `5min`",
    check: |text| {
        let number = ["min", "s", "h"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or_default();
        (1..=6).contains(&number.len()) && !number.starts_with('0') && is_number(number)
    },
};

/// An extension to build, which becomes part of file names and statements.
pub(crate) const EXTENSION: Form = Form {
    pattern: r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
    words: "the name of an extension, such as `pgaudit`",
    check: |text| {
        text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    },
};

/// A package of Debian, with or without its version.
pub(crate) const PACKAGE: Form = Form {
    pattern: r"^[a-z0-9][a-z0-9+.-]{0,127}(=[A-Za-z0-9][A-Za-z0-9.+:~-]{0,127})?$",
    words: "the name of a package, such as `postgresql-16-cron`, with `=version` to pin it",
    check: |text| {
        let (name, version) =
            text.split_once('=').map_or((text, None), |(name, version)| (name, Some(version)));
        let is_lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let is_version = |text: &str| {
            (1..=128).contains(&text.len())
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b':' | b'~' | b'-'))
        };
        (1..=128).contains(&name.len())
            && name.bytes().next().is_some_and(is_lower)
            && name.bytes().all(|b| is_lower(b) || matches!(b, b'+' | b'.' | b'-'))
            && version.is_none_or(is_version)
    },
};

/// The address of an archive; one with a user in it is refused, as it would end up in a layer.
pub(crate) const ADDRESS: Form = Form {
    pattern: r"^https://[A-Za-z0-9.:-]{1,253}(/[A-Za-z0-9._~%+-]{1,255}){1,16}$",
    words: "an address that starts with `https://`, without a user, a password or parameters",
    check: |text| {
        let Some((host, path)) = text.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
            return false;
        };
        let is_part = |part: &str| {
            (1..=255).contains(&part.len())
                && part.bytes().all(|b| {
                    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'%' | b'+' | b'-')
                })
        };
        (1..=253).contains(&host.len())
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-'))
            && path.split('/').count() <= 16
            && path.split('/').all(is_part)
    },
};

/// A SHA-256.
pub(crate) const SHA256: Form = Form {
    pattern: r"^[0-9a-f]{64}$",
    words: "the 64 digits of a SHA-256, in lower case",
    check: |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
};

/// A platform of an image.
pub(crate) const PLATFORM: Form = Form {
    pattern: r"^linux/[a-z0-9]{1,16}(/v[0-9])?$",
    words: "a platform, such as `linux/amd64`",
    check: |text| {
        let Some(rest) = text.strip_prefix("linux/") else { return false };
        let (architecture, variant) = match rest.split_once('/') {
            Some((architecture, variant)) => (architecture, Some(variant)),
            None => (rest, None),
        };
        let is_variant = |text: &str| text.len() == 2 && text.starts_with('v') && is_number(&text[1..]);
        (1..=16).contains(&architecture.len())
            && architecture.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && variant.is_none_or(is_variant)
    },
};

/// The name of a label.
pub(crate) const LABEL: Form = Form {
    pattern: r"^[a-z0-9][a-z0-9._-]{0,127}$",
    words: "lower-case letters, digits, `.`, `_` and `-`",
    check: |text| {
        (1..=128).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'))
    },
};

/// The value of a label, which is one line.
pub(crate) const LABEL_VALUE: Form = Form {
    pattern: r"^[^\x00-\x1f\x7f]{0,512}$",
    words: "at most 512 characters on one line",
    check: |text| text.chars().count() <= 512 && !text.contains(|c: char| c < ' ' || c == '\x7f'),
};

/// All of them.
pub(crate) const FORMS: [Form; 15] = [
    DOCUMENT_PATH,
    VERSION,
    LIBRARY,
    CLASS,
    IDENTIFIER,
    TARGET,
    CONTAINER,
    TIMEOUT,
    EXTENSION,
    PACKAGE,
    ADDRESS,
    SHA256,
    PLATFORM,
    LABEL,
    LABEL_VALUE,
];

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}
