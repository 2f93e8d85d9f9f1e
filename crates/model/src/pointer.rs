//! The parts of a JSON pointer.

/// Writes a key as a part of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Writes a JSON pointer as messages have it: `targets[0].name`.
pub(crate) fn path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        push(&mut path, &unescaped(part), part.parse::<usize>().is_ok());
    }
    path
}

/// Appends a key or the number of an item to a path as messages have it.
pub(crate) fn push(path: &mut String, part: &str, is_item: bool) {
    if is_item {
        path.push_str(&format!("[{part}]"));
    } else {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(part);
    }
}

/// Reads a part of a JSON pointer as a key.
pub(crate) fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_written_as_a_path_of_keys() {
        for (pointer, written) in [
            ("", ""),
            ("/restart/policy", "restart.policy"),
            ("/targets/0/name", "targets[0].name"),
            ("/settings/a.b~1c", "settings.a.b/c"),
        ] {
            assert_eq!(path(pointer), written);
        }
    }
}
