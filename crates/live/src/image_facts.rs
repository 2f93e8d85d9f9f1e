//! What is in an image that is to be started: looked at in a container of its own, without network, volumes and rights.

use crate::docker::Docker;

/// What was seen in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// The number of its user `postgres`, who runs the server.
    pub uid: Option<u32>,
    /// The groups of that user.
    pub groups: Vec<u32>,
    /// The PostgreSQL major.
    pub major: Option<u16>,
    /// The files of the server's library folder; `None` if that was not found.
    pub libraries: Option<Vec<String>>,
}

/// Returns what the image has: a word and a value on each line.
const SCRIPT: &str = r#"
echo "uid $(id -u postgres)"
for group in $(id -G postgres); do echo "group $group"; done
postgres=$(command -v postgres) && postgres=$(readlink -f "$postgres")
echo "version $("$postgres" --version)"
prefix=${postgres%/bin/postgres}
for folder in "$(pg_config --pkglibdir)" "$prefix/lib/postgresql" "$prefix/lib"; do
	if [ -e "$folder/plpgsql.so" ]; then
		for file in "$folder"/*.so; do echo "file ${file##*/}"; done
		break
	fi
done
"#;

impl ImageFacts {
    fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("uid", uid)) => facts.uid = uid.parse().ok(),
                Some(("group", group)) => facts.groups.extend(group.parse::<u32>()),
                Some(("version", version)) => facts.major = major(version),
                Some(("file", name)) => facts.libraries.get_or_insert_default().push(name.to_string()),
                _ => {}
            }
        }
        facts
    }

    /// Returns which of these items of a preload list the image has no file for, as far as that can be told.
    pub fn missing_libraries(&self, items: &[String]) -> Vec<String> {
        let Some(there) = &self.libraries else { return Vec::new() };
        let is_missing = |item: &&String| {
            let name = item.strip_prefix("$libdir/").unwrap_or(item);
            // Elsewhere nobody has looked.
            !name.contains('/') && !there.iter().any(|file| file == name || *file == format!("{name}.so"))
        };
        items.iter().filter(is_missing).cloned().collect()
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-1)`.
fn major(version: &str) -> Option<u16> {
    let number = version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Docker {
    /// Looks into an image that the engine has; `None` if that cannot be done: it may have no shell.
    pub fn image_facts(&self, id: &str) -> Option<ImageFacts> {
        let arguments = [
            "run",
            "--rm",
            "--pull=never",
            "--network=none",
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--user=65534:65534",
            "--entrypoint=sh",
            id,
            "-c",
            SCRIPT,
        ];
        let ended = self.run(&arguments, String::new()).ok()?;
        let facts = ImageFacts::parse(&String::from_utf8_lossy(&ended.stdout));
        (facts != ImageFacts::default()).then_some(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_image_says_of_itself_is_read_and_nothing_is_missing_where_nobody_looked() {
        let text = "uid 70\ngroup 70\ngroup 5\nversion postgres (PostgreSQL) 15.18 (Debian 15.18-1)\n\
                    file plpgsql.so\nfile pgaudit.so\n";
        let facts = ImageFacts::parse(text);
        assert_eq!((facts.uid, facts.groups.as_slice(), facts.major), (Some(70), &[70, 5][..], Some(15)));
        let missing = |facts: &ImageFacts, items: &[&str]| {
            facts.missing_libraries(&items.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(missing(&facts, &["pgaudit", "pgaudit.so", "$libdir/pgaudit", "/own/x"]), [""; 0]);
        assert_eq!(missing(&facts, &["pg_cron", "$libdir/pg_cron"]), ["pg_cron", "$libdir/pg_cron"]);
        assert_eq!(missing(&ImageFacts::parse("uid \nversion \n"), &["pg_cron"]), [""; 0]);
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
    }
}
