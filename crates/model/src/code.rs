//! Every diagnostic code: one row for each.

/// Defines [`Code`] from the table below, so that a code cannot be without its row.
macro_rules! codes {
    ($(
        $variant:ident $id:literal $name:literal $title:literal $(allow $allow:literal)?
            why $why:literal mend $mend:literal example $example:literal;
    )*) => {
        /// Names a diagnostic; ids are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of their ids.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Gives the stable id, `KDBnnn`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// Gives the name, in words.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Gives what it means, in one sentence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Tells whether a person may overrule it with `--allow NAME`, and what that risks.
            pub fn risk(self) -> Option<&'static str> {
                match self { $($(Self::$variant => Some($allow),)?)* _ => None }
            }

            /// Gives the reason for the rule, in one or two sentences.
            pub fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }

            /// Gives what to do, in one or two sentences.
            pub fn mend(self) -> &'static str {
                match self { $(Self::$variant => $mend,)* }
            }

            /// Gives a text that it is about: a whole document, or the lines of a file that matter.
            pub fn example(self) -> &'static str {
                match self { $(Self::$variant => $example,)* }
            }

            /// Finds a code by its id or its name, in any letter case.
            pub fn find(text: &str) -> Option<Self> {
                let same = |known: &str| known.eq_ignore_ascii_case(text);
                Self::ALL.iter().copied().find(|code| same(code.id()) || same(code.name()))
            }

            /// Tells whether it is about the document alone, whatever the target's files hold.
            pub fn is_of_document(self) -> bool {
                self.id() < "KDB300"
            }
        }
    };
}

codes! {
    // 0xx: the document cannot be read.
    DocumentSyntax "KDB001" "document-syntax" "The document is not YAML."
        why "What is not YAML cannot be read at all, so this is the only error until it is mended."
        mend "Mend the text at the place that is named: a quote or a bracket that is not closed, a tab in front of a key, a colon without a blank behind it."
        example r#"schema: kasm-db/v1
preload:
  libraries: [pgaudit
"#;
    DocumentCharacter "KDB002" "document-character" "The document holds a control or bidirectional character."
        why "Such a character does not show in an editor or a review, and can make a line look like another one."
        mend "Remove it; no value of a document has a use for one."
        example r#"schema: kasm-db/v1
audit:
  role: "auditor\e[2J"
"#;
    DocumentShape "KDB003" "document-shape" "The document is empty, is several documents, or is no mapping."
        why "A document is one mapping, so that there is no doubt which of several counts."
        mend "Write one mapping that starts with `schema: kasm-db/v1`, and split what were several documents into files."
        example r#"schema: kasm-db/v1
---
schema: kasm-db/v1
"#;
    DocumentFeature "KDB004" "document-feature" "The document uses an anchor, an alias, a tag or a merge key."
        why "With these a document means more than the lines that a reviewer sees in a change."
        mend "Write the values out. What several documents share belongs into one that they name with `extends`."
        example r#"schema: kasm-db/v1
preload: &shared
  libraries: [pgaudit]
"#;
    DuplicateKey "KDB005" "duplicate-key" "A key stands twice in one mapping."
        why "Most readers of YAML take the last one in silence; nobody can tell which was meant."
        mend "Remove one of the two."
        example r#"schema: kasm-db/v1
postgres_major: 12
postgres_major: 14
"#;
    ParentUnreadable "KDB006" "parent-unreadable" "The document that `extends` names cannot be read."
        why "Without the document that it extends it cannot be told what this one wants."
        mend "Check the path: it starts at the folder of the document that names it, and the name ends in `kasm-db.yaml`."
        example r#"schema: kasm-db/v1
extends: ../nowhere/base.kasm-db.yaml
"#;
    ParentChain "KDB007" "parent-chain" "The documents extend each other in a circle, or too deep."
        why "A circle has no end, and a chain of more than four is more than a reader follows."
        mend "Let the document extend one that does not lead back to it, and merge links of a long chain."
        example r#"schema: kasm-db/v1
extends: kasm-db.yaml
"#;
    VersionTooOld "KDB008" "version-too-old" "The document needs a later version of kasm-db."
        why "An older kasm-db would call the new keys misspelt, or do less than the document asks for."
        mend "Install the version that `min_version` names, or a later one; `kasm-db --version` tells yours."
        example r#"schema: kasm-db/v1
min_version: 999.0.0
"#;
    NotADocument "KDB009" "not-a-document" "The file is not a kasm-db document."
        why "Without a line `schema: kasm-db/…` it may be any file of this machine, a private key among them, so nothing that it holds is shown."
        mend "Check the path that leads to it. If it is a document, add the line `schema: kasm-db/v1`; then everything else that is wrong is shown."
        example r#"image: kasmweb/postgres
"#;
    // 1xx: the document does not fit the schema.
    UnknownKey "KDB101" "unknown-key" "The key is not one of this mapping."
        why "A key that nothing reads would be obeyed by nobody: a misspelt `classes` audits nothing."
        mend "Write the key that was meant; notes of your own go under a key at the top that starts with `x-`."
        example r#"schema: kasm-db/v1
audit:
  clases: [read]
"#;
    MissingKey "KDB102" "missing-key" "A required key is missing."
        why "Without it the mapping around it says nothing."
        mend "Add the key."
        example r#"schema: kasm-db/v1
preload:
  mode: exact
"#;
    WrongType "KDB103" "wrong-type" "The value has another type."
        why "YAML reads `1.10` as the number 1.1 and an empty value as null, which is rarely what was meant."
        mend "Put text that looks like something else in quotes, write switches as `true` or `false`, and leave out what is not managed."
        example r#"schema: kasm-db/v1
audit:
  log_catalog: yes
"#;
    WrongValue "KDB104" "wrong-value" "The value is not one of those allowed."
        why "pgaudit takes a value that it does not know for none at all: it only warns, and audits nothing."
        mend "Write one of the values that the message lists."
        example r#"schema: kasm-db/v1
audit:
  classes: [raed]
"#;
    // 2xx: the document does not make sense.
    InvalidImage "KDB201" "invalid-image" "The image is not a reference with a tag."
        why "Compose would refuse the reference, or Docker would take `latest` for a missing tag."
        mend "Write `repository:tag`, with a registry in front and a digest behind where you want them."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres
"#;
    UnknownMajor "KDB202" "unknown-major" "The PostgreSQL major is needed and cannot be told from the image."
        why "Which settings there are depends on the major, and the tag of this image does not tell it."
        mend "Say it with `postgres_major`."
        example r#"schema: kasm-db/v1
audit:
  log_rows: true
"#;
    MajorMismatch "KDB203" "declared-major-mismatch" "`postgres_major` is not the major of the image."
        why "One of the two is wrong, and every check of a setting depends on it."
        mend "Remove `postgres_major` where the tag tells, or correct it."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres:1.16.0@sha256:0000000000000000000000000000000000000000000000000000000000000000
postgres_major: 12
"#;
    SettingNotInMajor "KDB204" "setting-not-in-major" "The pgaudit of this PostgreSQL major does not have the setting."
        why "pgaudit does not complain about a setting that it does not have: nothing would happen, in silence."
        mend "Leave the setting out, or use an image with a later major."
        example r#"schema: kasm-db/v1
postgres_major: 12
audit:
  log_rows: true
"#;
    ReservedSetting "KDB205" "reserved-setting" "The setting has a key of its own in the document."
        why "With two places for one thing the document could contradict itself."
        mend "Write it under the key that the message names."
        example r#"schema: kasm-db/v1
settings:
  shared_preload_libraries: pgaudit
"#;
    SetAndUnset "KDB206" "set-and-unset" "The setting is both set and unset."
        why "The setting cannot both have a value and be commented out."
        mend "Remove it from `unset`, or from where it is set."
        example r#"schema: kasm-db/v1
settings:
  work_mem: 8MB
unset: [work_mem]
"#;
    DuplicateTarget "KDB207" "duplicate-target" "Two targets have the same name."
        why "`--target NAME` and all output name a target by its name alone."
        mend "Give each target a name of its own."
        example r#"schema: kasm-db/v1
targets:
  - {name: eu, deployment: /opt/kasm/current}
  - {name: eu, installer: kasm_release}
"#;
    TargetKind "KDB208" "target-kind" "A target needs exactly one of `deployment`, `installer` and `files`."
        why "With none of them there is nothing to look at; with two it is not clear which one counts."
        mend "Write exactly one of `deployment`, `installer` and `files`, and name a file under `files`."
        example r#"schema: kasm-db/v1
targets:
  - name: eu
"#;
    InvalidName "KDB209" "invalid-name" "The name does not follow its grammar."
        why "The server reads such a line as a syntax error and does not start."
        mend "A name is letters, digits and `_`, with one dot in the setting of an extension."
        example r#"schema: kasm-db/v1
settings:
  work-mem: 8MB
"#;
    PreloadMissing "KDB210" "audit-without-preload" "Auditing needs pgaudit in the preload libraries."
        why "Without its library in `shared_preload_libraries` pgaudit does nothing, whatever its settings say."
        mend "Add `pgaudit` to `preload.libraries`."
        example r#"schema: kasm-db/v1
preload:
  mode: exact
  libraries: [pg_stat_statements]
audit:
  classes: [read]
"#;
    DuplicateItem "KDB211" "duplicate-item" "An item stands twice in a list."
        why "One of the two is without effect, and the next change may be made to the wrong one."
        mend "Remove one of them; letter case, `.so` and `$libdir/` make no difference, and an old name is the same setting."
        example r#"schema: kasm-db/v1
preload:
  libraries: [pgaudit, $libdir/pgaudit]
"#;
    InvalidSetting "KDB212" "invalid-setting" "PostgreSQL does not know the setting, or not this value of it."
        why "The server does not start with a setting or a value that it does not take."
        mend "Write the setting and a value that this major takes; `kasm-db explain settings.NAME` shows which."
        example r#"schema: kasm-db/v1
settings:
  wrok_mem: 8MB
"#;
    MutableTag "KDB220" "mutable-tag" "The tag is one that its publisher moves."
        why "The same document can bring another image tomorrow, without a change in Git."
        mend "Name the tag of a release, and pin it with a digest."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres:1.16.0-rolling
"#;
    NoDigest "KDB221" "no-digest" "The image has no digest, so its contents may change under its tag."
        why "A tag is a name that its publisher can move; only a digest names contents."
        mend "Append the digest: `docker buildx imagetools inspect IMAGE` prints it, and Renovate keeps it up to date."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres:1.16.0
"#;
    ClassWithoutEffect "KDB222" "class-without-effect" "A class changes nothing where it stands."
        why "The list is added up from left to right, so an item can be there and mean nothing: `none` takes nothing away."
        mend "Remove the item, or use `-class` to take a class away."
        example r#"schema: kasm-db/v1
audit:
  classes: [read, none]
"#;
    // 3xx: what is there cannot be reconciled: compose files.
    ComposeSyntax "KDB301" "compose-syntax" "A compose file is not YAML."
        why "What is not YAML cannot be changed safely, and Compose does not read it either."
        mend "Mend the file at the place that is named; `docker compose config` shows whether it is read."
        example r#"services:
  db: {image: postgres:14
"#;
    NoComposeFile "KDB302" "no-compose-file" "The target has no compose file."
        why "A deployment keeps its compose file at docker/docker-compose.yaml, an installer at docker/docker-compose-*.yaml."
        mend "Check the path of the target; name files in other places under `files`."
        example r#"targets:
  - name: current
    deployment: /opt/kasm        # /opt/kasm/current was meant
"#;
    NoService "KDB303" "no-database-service" "No compose file of the target has the database service."
        why "The image of a service that is not there cannot be set; a deployment with an external database has none."
        mend "Name the service with `files.service`, or leave `image` out and manage postgresql.conf alone."
        example r#"services:
  web: {image: nginx:1.27}
"#;
    AmbiguousService "KDB304" "ambiguous-service" "More than one service may be the database."
        why "Changing the wrong one would replace the image of another program."
        mend "Give `container_name: kasm_db` to one service alone; in a target of `files`, name it with `service:`."
        example r#"services:
  one: {image: "postgres:14", container_name: kasm_db}
  two: {image: "postgres:14", container_name: kasm_db}
"#;
    DuplicateImage "KDB305" "duplicate-image" "The service has two `image` keys."
        why "Compose refuses such a file, and which of the two is meant cannot be told."
        mend "Remove one of the two lines."
        example r#"services:
  db:
    image: postgres:14
    image: postgres:16
"#;
    ImageShape "KDB306" "image-shape" "The image is written in a way that cannot be changed safely."
        why "Only the image may change; written like this, something else would change with it."
        mend "Write the image as plain text at the service itself."
        example r#"services:
  db:
    image: [postgres, "14"]
"#;
    BuiltImage "KDB307" "built-image" "The service's image is built from source."
        why "With `build` Compose makes the image from source; a name written there has another meaning."
        mend "Build the image in your pipeline and name the result, or remove `build`."
        example r#"services:
  db:
    build: ./database
"#;
    NotPostgres "KDB308" "not-postgres" "The service that was found does not look like PostgreSQL."
        allow "the image of a service that is not the database is replaced"
        why "A service that has the database's name but another program's image is probably not the database."
        mend "Name the right service with `files.service`, or overrule this where it is the database."
        example r#"services:
  db: {image: "mysql:8"}
"#;
    ComposeReference "KDB309" "compose-reference" "A file that a compose file names cannot be read."
        why "What the named file says can change the database's service, so it must be read."
        mend "Check the path; it starts at the folder of the file that names it."
        example r#"include: [missing.yaml]
services:
  db: {image: "postgres:14"}
"#;
    DuplicateComposeKey "KDB310" "duplicate-compose-key" "A compose file has a key twice."
        why "Compose refuses a mapping that has a key twice; older versions took the last one."
        mend "Remove one of them."
        example r#"services:
  db:
    image: postgres:14
    restart: always
    restart: "no"
"#;
    ImageFromVariable "KDB311" "image-from-variable" "The image was written with variables and becomes a literal."
        why "From now on the document decides on the image, so the variable is not asked any more."
        mend "Remove the variable from `.env` if nothing else uses it."
        example r#"services:
  db: {image: "postgres:${PG_TAG:-14}"}
"#;
    CommandUnreadable "KDB312" "command-unreadable" "The service's command cannot be read."
        why "The command may set values that win over postgresql.conf, and this one cannot be taken apart."
        mend "Write `command:` as a list."
        example r#"services:
  db:
    image: postgres:14
    command: postgres -c "work_mem=8MB
"#;
    // 4xx: what is there cannot be reconciled: postgresql.conf.
    NoConf "KDB401" "no-postgresql-conf" "The database has no postgresql.conf that could be edited."
        why "Settings are wanted and there is no file to write them to; releases before Kasm 1.10 mount none."
        mend "Check the path of the target, or manage the image alone."
        example r#"targets:
  - name: lab
    files: {postgresql_conf: conf/missing.conf}
"#;
    ConfSyntax "KDB402" "conf-syntax" "PostgreSQL would not start with this file."
        why "One such line keeps the server from starting, whatever the others say."
        mend "Put values with blanks, commas or other signs in single quotes, and close every quote."
        example r#"log_line_prefix = '%m [%p]
"#;
    ConfInclude "KDB403" "conf-include" "PostgreSQL would not start: an include does not work."
        why "The server does not start when a file that it is told to include cannot be included."
        mend "Correct the path, use `include_if_exists` for a file that may be missing, or create the folder of an `include_dir`."
        example r#"include 'missing.conf'
"#;
    ConfUnseen "KDB404" "conf-unseen" "An included file cannot be seen from here."
        why "What the file sets may win over this one, and it lies where this host cannot look."
        mend "Look into the file on the database's host, or in its container."
        example r#"include_if_exists '/etc/postgresql/site.conf'
"#;
    ConfValue "KDB405" "conf-value" "PostgreSQL would not start: it does not take this value."
        why "The server checks every value before it starts, also of settings that the document does not manage."
        mend "Correct the line in the file, or set it with `settings`, or name it under `unset`."
        example r#"max_connections = many
"#;
    ConfUnknown "KDB406" "conf-unknown-setting" "PostgreSQL would not start: it does not know this setting."
        allow "the server may refuse to start"
        why "The server does not start with a setting that its major does not know: one was renamed, removed, or misspelt."
        mend "Write the new name, or name the setting under `unset`, which comments the line out."
        example r#"wal_keep_segments = 32           # PostgreSQL 13 and later: wal_keep_size
"#;
    ConfList "KDB407" "conf-list" "The preload list is invalid: PostgreSQL starts and loads nothing."
        why "The server starts, loads none of the libraries, and says so in its log alone."
        mend "Separate the libraries by commas, without one at the start or the end."
        example r#"shared_preload_libraries = 'pgaudit,'
"#;
    ConfElsewhere "KDB408" "conf-elsewhere" "The server reads another postgresql.conf than this one."
        allow "a file is changed that the server may not read"
        why "A change of a file that the server does not read has no effect."
        mend "Name the file that the server reads in the target, or mount this one."
        example r#"services:
  db:
    image: postgres:14
    command: postgres -c config_file=/etc/own.conf
    volumes: ["./own.conf:/etc/own.conf"]    # the target names postgresql.conf
"#;
    ConfNotMounted "KDB409" "conf-not-shown-mounted" "The compose file does not show that the server reads this file."
        why "With files by name nothing else shows that the server reads this one."
        mend "Nothing, where the file reaches the server in another way; otherwise mount it."
        example r#"services:
  db: {image: "postgres:14"}                 # no volume with postgresql.conf
"#;
    ConfUnchecked "KDB410" "conf-unchecked" "The settings in the file cannot be checked against a PostgreSQL major."
        why "Without the major it cannot be told which settings and values the server knows."
        mend "Say it with `postgres_major`."
        example r#"image: registry.example.com/own/database:7
"#;
    // 5xx: the plan would do harm.
    MajorChange "KDB501" "major-change" "The PostgreSQL of the image cannot open the data directory."
        allow "the server does not start on a data directory of another major"
        why "The files of a major cannot be opened by another one: the server ends at once, until the data is dumped and restored."
        mend "Use an image with the same major, or move the data first with pg_dump or pg_upgrade."
        example r#"image: kasmweb/postgres:1.16.0    # PostgreSQL 14, and the deployment has 12
"#;
    LibraryMissing "KDB502" "library-missing" "The image lacks a library that the server is told to preload."
        allow "the server does not start when a preloaded library is missing"
        why "The server does not start when it cannot load a preloaded library; the official images have no pgaudit."
        mend "Use an image that brings the library, such as kasmweb/postgres, or take it out of the list."
        example r#"image: postgres:14
preload:
  libraries: [pgaudit]
"#;
    OverriddenByCommand "KDB503" "overridden-by-command" "The command line sets the value over the file's."
        allow "the file's value has no effect"
        why "What the command line sets wins over the file, so a change of the file does nothing."
        mend "Remove the option from `command:` in the compose file, or give it the wanted value there."
        example r#"services:
  db:
    image: postgres:14
    command: postgres -c work_mem=4MB
"#;
    OverriddenByAutoConf "KDB504" "overridden-by-auto-conf" "`postgresql.auto.conf` sets the value over the file's."
        allow "the file's value has no effect"
        why "ALTER SYSTEM writes postgresql.auto.conf, which is read last and wins."
        mend "Run `ALTER SYSTEM RESET name` on the server."
        example r#"# postgresql.auto.conf
work_mem = '4MB'
"#;
    PreloadRemoved "KDB505" "preload-removed" "A preloaded library would be removed."
        allow "what needs the library stops working"
        why "What needs the library stops working with the next restart."
        mend "Add it to `preload.libraries`, use `mode: ensure`, or overrule this where it shall go."
        example r#"preload:
  mode: exact
  libraries: [pgaudit]             # the file has pg_stat_statements, too
"#;
    NotProved "KDB506" "not-proved" "The planned edit does not read back as wanted."
        why "Every plan is applied in memory and read back; this one did not give what was wanted, so it is not shown."
        mend "Change the file by hand, and report the file's shape to the project."
        example r#"services: {db: &db {image: "postgres:14"}, other: *db}
"#;
    UnknownCurrentMajor "KDB507" "unknown-current-major" "The PostgreSQL major of the present image is not known."
        why "Whether the data directory fits the new image cannot be told from the present one's name."
        mend "Make sure that both have the same PostgreSQL major."
        example r#"services:
  db: {image: "registry.example.com/own/postgres:7"}
"#;
    MajorUnknown "KDB508" "major-unknown" "The PostgreSQL major of the new image is not known."
        allow "the server may not start on the data directory that is there"
        why "A server does not start on the data directory of another major, and the name of this image does not tell its own."
        mend "Say which major the image has with `postgres_major`, or use a kasm-db that knows this release."
        example r#"image: kasmweb/postgres:9.99.0       # a release that this version does not know
"#;
    // 6xx: reading.
    Unreadable "KDB601" "unreadable" "A file cannot be read."
        why "What cannot be read cannot be compared."
        mend "Run with the rights that the file needs, or correct what stands at its path."
        example r#"docker/docker-compose.yaml         # a folder, a link, or a file of more than 1 MiB
"#;
    InsecurePermissions "KDB603" "insecure-permissions" "Others than its owner can write to a file or its folder."
        allow "whoever can write there decides what the database runs"
        why "Whoever can replace a file while it is changed, or right after, decides what the database runs, and root runs it."
        mend "Take the right away with `chmod go-w`. The own group of a user who is not root is no other."
        example r#"docker/docker-compose.yaml         # mode 0666
"#;
    EditedSince "KDB604" "edited-since" "A file was changed by somebody else since the last apply."
        allow "what was changed in the file by hand is lost"
        why "A rollback puts back what an earlier apply left, and with it goes what was changed since."
        mend "Keep what is needed of the lines that the diff removes, then overrule; or leave the file as it is."
        example r#"conf/database/postgresql.conf      # edited by hand after `kasm-db apply`
"#;
    FileGone "KDB605" "file-gone" "A file that a rollback would put back is gone."
        allow "the file stays away, and the others are put back"
        why "A rollback replaces files and creates none: whoever removed this one may have had a reason."
        mend "Leave it out with `--allow file-gone`, or put a file of this name there first."
        example r#"docker/.conf/docker-compose-all-upgrade.yaml   # removed after `kasm-db apply`
"#;
    ForeignOwner "KDB606" "foreign-owner" "A program that root runs, or a folder above the target, belongs to another user."
        allow "that user decides what root runs"
        why "Whoever owns a program, or a folder on the way to it, can replace it, and what is there then runs as root."
        mend "Give it to root, or name the user under `restart.trust` in a document that belongs to root."
        example r#"bin/stop                           # belongs to the user kasm, and apply runs as root
"#;
    // 7xx: the running server.
    Unreachable "KDB701" "server-unreachable" "The running server could not be asked."
        why "Files say what a server shall do; what it does can be seen only by asking it."
        mend "Start the deployment, or correct `verify` of the document; the message says which."
        example r#"verify:
  container: kasm_db                # no such container, or it restarts again and again
"#;
    ImageNotRunning "KDB702" "image-not-running" "The container runs another image than the declared one."
        why "A container keeps the image that it was made from, whatever the compose file says since."
        mend "Stop and start the deployment, so that the container is made anew."
        example r#"image: kasmweb/postgres:1.16.0    # the container runs postgres:14-alpine
"#;
    MajorNotRunning "KDB703" "major-not-running" "The server is of another PostgreSQL major than the declared one."
        why "Which settings there are depends on the major, so a document for another one may do nothing."
        mend "Declare the image and `postgres_major` of what runs."
        example r#"postgres_major: 14                # the server says 16
"#;
    ConfNotRead "KDB704" "conf-not-read" "The server reads another postgresql.conf than the one on the host."
        why "A file that is mounted by itself stays the old one in the container when it is replaced on the host."
        mend "Stop and start the deployment; where the volume is another file, correct the compose file."
        example r#"volumes:
  - ./conf/postgresql.conf:/var/lib/postgresql/conf/postgresql.conf
"#;
    ConfNotTaken "KDB705" "conf-not-taken" "The server found an error in its files and did not take them."
        why "A running server goes on with the old values, says so in its log alone, and may not start again."
        mend "Mend the line that is named."
        example r#"pgaudit.log = 'read, wrote'       # the server warns, and audits nothing
"#;
    LibraryNotLoaded "KDB706" "library-not-loaded" "The server has not loaded a library."
        why "Libraries of the preload list are loaded at the start of the server and at no other time."
        mend "Stop and start the deployment, with an image that brings the library."
        example r#"shared_preload_libraries = 'pgaudit'    # written after the start
"#;
    NotEffective "KDB707" "setting-not-effective" "The running server has another value than the declared one."
        why "A value in a file counts only once the server has read it, and a `SET` counts in its own session alone."
        mend "Apply the document, or let the server read its files: `SELECT pg_reload_conf();`."
        example r#"SET pgaudit.log = 'read, write';    -- ends with the session
"#;
    RestartPending "KDB708" "restart-pending" "A value in the file counts only after a restart."
        why "Some settings are read at the start of the server and at no other time."
        mend "Stop and start the deployment."
        example r#"max_connections = 200             # the server was started with 100
"#;
    Overridden "KDB709" "setting-overridden" "Something else than postgresql.conf sets the value on the running server."
        why "ALTER SYSTEM, ALTER DATABASE, ALTER ROLE and the command line all win over the file."
        mend "Run the statement that is named, or remove the option from the compose file."
        example r#"ALTER DATABASE kasm SET pgaudit.log = 'none';
"#;
    ExtensionMissing "KDB710" "extension-missing" "A database lacks the extension of pgaudit."
        why "Without it entries of DDL do not name the objects; a restored dump may have lost it."
        mend "Run `CREATE EXTENSION pgaudit SCHEMA pg_catalog;` in the database, or apply with `restart: {policy: if_needed}`."
        example r#"audit:
  databases: [kasm]                 # where CREATE EXTENSION was never run
"#;
    ClassNotLogged "KDB711" "class-not-logged" "A statement of a declared class left no entry in the server's log."
        why "This is what auditing is for: settings that look right prove nothing while the log stays empty."
        mend "Mend what else fails; then look at log_min_messages, and at the value for this role."
        example r#"ALTER ROLE kasmapp SET pgaudit.log = 'none';
"#;
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_by_its_id_and_its_name_in_any_letter_case() {
        assert_eq!(Code::find("kdb101"), Some(Code::UnknownKey));
        assert_eq!(Code::find("Unknown-Key"), Some(Code::UnknownKey));
        assert_eq!(Code::find("KDB999"), None);
    }

    #[test]
    fn ids_and_names_are_unique_and_in_order() {
        let ids: Vec<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
