//! The names that the commands of an upgrade are made from, and the commands that several steps share.

use std::path::Path;

use model::Series;

use crate::path::quoted;

/// The user and the database that Kasm's scripts use if nothing else is said.
const USUAL: (&str, &str) = ("kasmapp", "kasm");

/// What the steps are made from.
pub(crate) struct Names {
    /// The tree, with all links followed.
    pub(crate) tree: String,
    /// The tree of the new release.
    pub(crate) new_tree: String,
    /// Whether that is installed already.
    pub(crate) is_installed: bool,
    pub(crate) container: String,
    pub(crate) user: String,
    pub(crate) database: String,
    /// The volume with the data, if the compose files name one that Compose does not make.
    pub(crate) volume: Option<String>,
    pub(crate) compose_file: String,
    pub(crate) compose_files: Vec<String>,
    pub(crate) service: String,
    /// Whether Kasm's other services run here, too.
    pub(crate) has_kasm: bool,
    pub(crate) from: Option<Series>,
    pub(crate) to: Option<Series>,
    /// The image at the end.
    pub(crate) image: Declared,
    /// The document.
    pub(crate) document: String,
    /// The folder that `--top` names.
    pub(crate) top: Option<String>,
    /// The document that says `postgres_major`, if one does.
    pub(crate) major_document: Option<String>,
    /// Whether the document names the tree by its version, so that it names the old one after the upgrade.
    pub(crate) names_tree: bool,
    pub(crate) audits: bool,
}

/// The image at the end, and what the document must say for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// The document declares it already.
    Already(String),
    /// The document declares Kasm's image of the old release: the new tag replaces it.
    Replaced { image: String, document: String },
    /// The document declares an image that is not Kasm's: whoever builds it knows that of the new release.
    Own { document: String },
    /// The document has no image: the new release brings its own.
    None,
}

impl Declared {
    /// Returns the image, if it is known.
    pub(crate) fn image(&self) -> Option<&str> {
        match self {
            Self::Already(image) | Self::Replaced { image, .. } => Some(image),
            Self::Own { .. } | Self::None => None,
        }
    }
}

impl Names {
    /// Returns the folder that Kasm's installer makes a tree for each release in.
    pub(crate) fn folder(&self) -> &Path {
        Path::new(&self.tree).parent().unwrap_or(Path::new("/"))
    }

    /// Returns the link to the tree that is in use.
    pub(crate) fn current(&self) -> String {
        self.folder().join("current").display().to_string()
    }

    /// Returns the folder of the dump.
    pub(crate) fn backups(&self) -> String {
        self.folder().join("backups").display().to_string()
    }

    /// Returns the file that the database is dumped to.
    pub(crate) fn dump(&self) -> String {
        format!("{}/kasm-db-before-upgrade.tar", self.backups())
    }

    fn roles(&self) -> String {
        format!("{}/kasm-db-roles.sql", self.backups())
    }

    /// Returns what is kept of the old database, as the subject of a sentence.
    pub(crate) fn data(&self) -> String {
        match &self.volume {
            Some(volume) => format!("its volume {volume}"),
            None => "its data".into(),
        }
    }

    /// Returns the call of a command on this target, with the document if it would not be found.
    pub(crate) fn kasm_db(&self, command: &str, arguments: &str) -> String {
        let document = match self.document.as_str() {
            "kasm-db.yaml" => String::new(),
            document => format!(" -f {}", shell(document)),
        };
        format!("kasm-db {command}{}{document} {arguments}", self.top())
    }

    /// Returns the call that checks the document.
    pub(crate) fn validate(&self) -> String {
        format!("kasm-db validate{} {}", self.top(), shell(&self.document))
    }

    fn top(&self) -> String {
        self.top.as_ref().map(|top| format!(" --top {}", shell(top))).unwrap_or_default()
    }

    /// Returns the call of a command on a deployment: its files belong to root and to the server's user.
    pub(crate) fn on(&self, tree: &str, command: &str, options: &str) -> String {
        let space = if options.is_empty() { "" } else { " " };
        format!("sudo {}", self.kasm_db(command, &format!("{options}{space}--deployment {}", shell(tree))))
    }

    /// Returns the call of a program in the database's container.
    pub(crate) fn exec(&self, options: &str, program: &str) -> String {
        let space = if options.is_empty() { "" } else { " " };
        format!("docker exec {options}{space}{} {program}", shell(&self.container))
    }

    /// Returns the options of Kasm's scripts that name the user and the database, if they need to be named.
    fn whose(&self) -> String {
        match (self.user.as_str(), self.database.as_str()) {
            USUAL => String::new(),
            (user, database) => format!(" -c {} -j {}", shell(user), shell(database)),
        }
    }

    /// Returns the call of Kasm's script that dumps the database. It starts a second server on the volume: nothing else may
    /// have it open.
    pub(crate) fn db_backup(&self) -> String {
        let tree = shell(&self.tree);
        format!("sudo bash {tree}/bin/utils/db_backup -f {} -p {tree}{}", shell(&self.dump()), self.whose())
    }

    /// Returns the call of Kasm's script that restores the dump. It stops Kasm before and afterwards.
    pub(crate) fn db_restore(&self, tree: &str) -> String {
        let tree = shell(tree);
        format!("sudo bash {tree}/bin/utils/db_restore -f {} -p {tree}{}", shell(&self.dump()), self.whose())
    }

    /// Returns the command that writes the roles to a file; Kasm's dump does not hold them. It holds hashes of passwords.
    pub(crate) fn save_roles(&self) -> String {
        let dump = self.exec("", &format!("pg_dumpall --username={} --roles-only", shell(&self.user)));
        format!("sudo sh -c {}", shell(&format!("umask 077 && {dump} > {}", shell(&self.roles()))))
    }

    /// Returns the command that creates these roles in the new database.
    pub(crate) fn restore_roles(&self) -> String {
        let psql = format!("psql --username={} --dbname=postgres --quiet", shell(&self.user));
        let psql = self.exec("-i", &psql);
        format!("sudo sh -c {}", shell(&format!("{psql} < {}", shell(&self.roles()))))
    }

    /// Returns the command that starts the database of a tree alone.
    pub(crate) fn up(&self, tree: &str) -> String {
        let folder = Path::new(tree).join(Path::new(&self.compose_file).parent().unwrap_or(Path::new("")));
        // Compose reads the whole file, and the other services need these.
        let ids = match self.has_kasm {
            true => r#"env KASM_UID="$(id -u kasm)" KASM_GID="$(id -g kasm)" "#,
            false => "",
        };
        let folder = shell(&folder.display().to_string());
        format!("(cd {folder} && sudo {ids}docker compose up -d {})", shell(&self.service))
    }

    /// Returns the command that waits until the server answers. While an image makes a new cluster, its server answers on its
    /// socket alone.
    pub(crate) fn wait(&self) -> String {
        let ready = self.exec("", "pg_isready --quiet --host=localhost");
        format!("timeout 120 bash -c {}", shell(&format!("until sudo {ready}; do sleep 1; done")))
    }
}

/// Returns a path as a shell takes it.
pub(crate) fn shell(text: &str) -> String {
    quoted(text)
}
