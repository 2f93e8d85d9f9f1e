//! Every diagnostic code: one row for each.

/// Defines [`Code`] from the table below, so that a code cannot be without its row.
macro_rules! codes {
    ($(
        $variant:ident $id:literal $name:literal $title:literal $(allow $allow:literal)?
            why $why:literal fix $fix:literal example $example:literal;
    )*) => {
        /// Names a diagnostic; ids are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of their ids.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the stable id, `KDBnnn`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// Returns the name, in words.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what it means, in one sentence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Returns the risk of `--allow NAME`, if it can be overridden.
            pub fn risk(self) -> Option<&'static str> {
                match self { $($(Self::$variant => Some($allow),)?)* _ => None }
            }

            /// Returns the reason for the rule, in one or two sentences.
            pub fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }

            /// Returns what to do, in one or two sentences.
            pub fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)* }
            }

            /// Returns a text that it is about: a whole document, or the lines of a file that matter.
            pub fn example(self) -> &'static str {
                match self { $(Self::$variant => $example,)* }
            }

            /// Finds a code by its id or its name, in any letter case.
            pub fn find(text: &str) -> Option<Self> {
                let same = |known: &str| known.eq_ignore_ascii_case(text);
                Self::ALL.iter().copied().find(|code| same(code.id()) || same(code.name()))
            }

            /// Returns whether it is about the document alone, and not about the files of a target.
            pub fn is_of_document(self) -> bool {
                self.id() < "KDB300"
            }
        }
    };
}

codes! {
    // 0xx: the document cannot be read.
    DocumentSyntax "KDB001" "document-syntax" "The document is not valid YAML."
        why "Nothing else can be checked until it is."
        fix "Fix the text at this place: an unclosed quote or bracket, a tab in front of a key, or a colon without a space after it."
        example r#"schema: kasm-db/v1
preload:
  libraries: [pgaudit
"#;
    DocumentCharacter "KDB002" "document-character" "The document contains a control or bidirectional character."
        why "Such a character is invisible in editors and reviews, and can make a line look like another one."
        fix "Remove it. No value of a document needs one."
        example r#"schema: kasm-db/v1
audit:
  role: "auditor\e[2J"
"#;
    DocumentShape "KDB003" "document-shape" "The document is empty, is not a mapping, or consists of several documents."
        why "A file with several documents could contradict itself."
        fix "Write one mapping that starts with `schema: kasm-db/v1`, and put further documents into files of their own."
        example r#"schema: kasm-db/v1
---
schema: kasm-db/v1
"#;
    DocumentFeature "KDB004" "document-feature" "The document uses an anchor, an alias, a tag or a merge key."
        why "With these, a change can affect more lines than a reviewer sees."
        fix "Write out the values. Put what several documents share into one document, and name it under `extends`."
        example r#"schema: kasm-db/v1
preload: &shared
  libraries: [pgaudit]
"#;
    DuplicateKey "KDB005" "duplicate-key" "A mapping contains a key twice."
        why "Most YAML readers silently use the last one, which may not be the one you meant."
        fix "Remove one of them."
        example r#"schema: kasm-db/v1
postgres_major: 12
postgres_major: 14
"#;
    ParentUnreadable "KDB006" "parent-unreadable" "The document under `extends` cannot be read."
        why "Without its parent, the document is incomplete."
        fix "Check the path. It is relative to the folder of the document that contains it, and must end in `kasm-db.yaml`."
        example r#"schema: kasm-db/v1
extends: ../nowhere/base.kasm-db.yaml
"#;
    ParentChain "KDB007" "parent-chain" "The documents extend each other in a circle, or too deeply."
        why "A circle has no end, and a chain of more than four documents is hard to follow."
        fix "Break the circle, or merge some documents of a long chain."
        example r#"schema: kasm-db/v1
extends: kasm-db.yaml
"#;
    VersionTooOld "KDB008" "version-too-old" "The document requires a later version of kasm-db."
        why "An older version would report new keys as unknown, or do less than the document declares."
        fix "Install the version under `min_version`, or a later one. `kasm-db --version` prints yours."
        example r#"schema: kasm-db/v1
min_version: 999.0.0
"#;
    NotADocument "KDB009" "not-a-document" "The file is not a kasm-db document."
        why "Without a line `schema: kasm-db/…` it may be any file of this machine, such as a private key, so none of its contents are shown."
        fix "Check the path. If it is a document, add the line `schema: kasm-db/v1`; other errors are reported then."
        example r#"image: kasmweb/postgres
"#;
    // 1xx: the document does not fit the schema.
    UnknownKey "KDB101" "unknown-key" "The key is unknown."
        why "It would be silently ignored: with `clases` instead of `classes`, nothing is audited."
        fix "Correct the key. To keep notes in a document, use a key at the top level that starts with `x-`."
        example r#"schema: kasm-db/v1
audit:
  clases: [read]
"#;
    MissingKey "KDB102" "missing-key" "A required key is missing."
        why "The mapping has no meaning without it."
        fix "Add the key."
        example r#"schema: kasm-db/v1
preload:
  mode: exact
"#;
    WrongType "KDB103" "wrong-type" "The value has the wrong type."
        why "YAML reads `1.10` as the number 1.1 and an empty value as null, which is rarely what was meant."
        fix "Quote text that looks like a number or a date, write Booleans as `true` or `false`, and leave out keys that are not managed."
        example r#"schema: kasm-db/v1
audit:
  log_catalog: yes
"#;
    WrongValue "KDB104" "wrong-value" "The value is not one of the allowed values."
        why "pgaudit only warns about an unknown value, and then audits nothing."
        fix "Use one of the values listed in the message."
        example r#"schema: kasm-db/v1
audit:
  classes: [raed]
"#;
    // 2xx: the document does not make sense.
    InvalidImage "KDB201" "invalid-image" "The image is not a valid reference with a tag."
        why "Compose rejects an invalid reference, and Docker uses `latest` if the tag is missing."
        fix "Write `repository:tag`, with an optional registry in front and an optional digest at the end."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres
"#;
    UnknownMajor "KDB202" "unknown-major" "The PostgreSQL major version is required and cannot be derived from the image."
        why "The available settings depend on the major version, and the tag of this image does not contain it."
        fix "Set `postgres_major`."
        example r#"schema: kasm-db/v1
audit:
  log_rows: true
"#;
    MajorMismatch "KDB203" "declared-major-mismatch" "`postgres_major` is not the major version of the image."
        why "One of the two is wrong, and every check of a setting depends on it."
        fix "Correct `postgres_major`, or remove it if the tag contains the version."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres:1.16.0@sha256:0000000000000000000000000000000000000000000000000000000000000000
postgres_major: 12
"#;
    SettingNotInMajor "KDB204" "setting-not-in-major" "The pgaudit of this PostgreSQL major version does not have the setting."
        why "pgaudit silently ignores a setting that it does not have."
        fix "Remove the setting, or use an image with a later major version."
        example r#"schema: kasm-db/v1
postgres_major: 12
audit:
  log_rows: true
"#;
    ReservedSetting "KDB205" "reserved-setting" "The setting has a key of its own in the document."
        why "If it could be set in two places, the document could contradict itself."
        fix "Move it to the key named in the message."
        example r#"schema: kasm-db/v1
settings:
  shared_preload_libraries: pgaudit
"#;
    SetAndUnset "KDB206" "set-and-unset" "The setting is both set and unset."
        why "A setting cannot both have a value and be commented out."
        fix "Remove it from `unset`, or from where it is set."
        example r#"schema: kasm-db/v1
settings:
  work_mem: 8MB
unset: [work_mem]
"#;
    DuplicateTarget "KDB207" "duplicate-target" "Two targets have the same name."
        why "`--target NAME` and all output identify a target by its name."
        fix "Give each target a unique name."
        example r#"schema: kasm-db/v1
targets:
  - {name: eu, deployment: /opt/kasm/current}
  - {name: eu, installer: kasm_release}
"#;
    TargetKind "KDB208" "target-kind" "A target needs exactly one of `deployment`, `installer` and `files`."
        why "Without one of them there is nothing to read; with two, it is not clear which one is meant."
        fix "Write exactly one of `deployment`, `installer` and `files`, and name at least one file under `files`."
        example r#"schema: kasm-db/v1
targets:
  - name: eu
"#;
    InvalidName "KDB209" "invalid-name" "The name is not valid."
        why "The server reports such a line as a syntax error and does not start."
        fix "Use letters, digits and `_`, with one dot in a setting of an extension."
        example r#"schema: kasm-db/v1
settings:
  work-mem: 8MB
"#;
    PreloadMissing "KDB210" "audit-without-preload" "Auditing requires pgaudit in the preload libraries."
        why "pgaudit does nothing unless it is in `shared_preload_libraries`, whatever its settings are."
        fix "Add `pgaudit` to `preload.libraries`."
        example r#"schema: kasm-db/v1
preload:
  mode: exact
  libraries: [pg_stat_statements]
audit:
  classes: [read]
"#;
    DuplicateItem "KDB211" "duplicate-item" "A list contains an item twice."
        why "One of the two has no effect, and the next change may be made to the wrong one."
        fix "Remove one of them. Letter case, `.so` and `$libdir/` make no difference, and an old name is the same setting."
        example r#"schema: kasm-db/v1
preload:
  libraries: [pgaudit, $libdir/pgaudit]
"#;
    InvalidSetting "KDB212" "invalid-setting" "PostgreSQL does not know the setting, or does not accept this value."
        why "The server does not start with an unknown setting or an invalid value."
        fix "Correct the setting or its value. `kasm-db explain settings.NAME` shows what this major version accepts."
        example r#"schema: kasm-db/v1
settings:
  wrok_mem: 8MB
"#;
    UnknownBase "KDB213" "unknown-base" "The base of the image to build is not one that it can be built on."
        why "How an extension is added depends on the PostgreSQL major version and on the distribution, and both are taken from the name of the base."
        fix "Use an official image of PostgreSQL or a mirror of it, with a tag that names both, such as `postgres:16-bookworm`."
        example r#"schema: kasm-db/v1
build:
  base: registry.example.com/own/db:7
"#;
    UnknownExtension "KDB214" "unknown-extension" "It is not known where an extension comes from."
        why "Names of packages and archives are not guessed: another one could be installed."
        fix "Correct the name, or add `package:` or `source:`, whichever the base can use."
        example r#"schema: kasm-db/v1
build:
  base: postgres:16-bookworm
  extensions:
    - name: pg_cron
"#;
    ChecksumMissing "KDB215" "checksum-missing" "An archive that is compiled has no checksum."
        why "An archive without a checksum can be replaced by another one between two builds."
        fix "Download the archive, make sure that it is the right one, and add its SHA-256."
        example r#"schema: kasm-db/v1
build:
  base: postgres:16-alpine
  extensions:
    - name: pg_cron
      source: {url: "https://registry.example.com/pg_cron-1.6.4.tar.gz"}
"#;
    NotPreloaded "KDB216" "extension-not-preloaded" "An extension of the image has no effect unless it is preloaded."
        why "The server loads it only when it starts. Without that, the extension cannot be created, or does nothing."
        fix "Add the extension to `preload.libraries`, or remove it from `build.extensions`."
        example r#"schema: kasm-db/v1
build:
  base: postgres:16-bookworm
  extensions:
    - name: pgaudit
"#;
    LibraryNotBuilt "KDB217" "library-not-built" "The image would lack a library that is preloaded."
        why "A server does not start if it cannot load a preloaded library."
        fix "Add the extension to `build.extensions`, or remove the library from `preload.libraries`."
        example r#"schema: kasm-db/v1
build:
  base: postgres:16-bookworm
preload:
  libraries: [pgaudit]
"#;
    MutableTag "KDB220" "mutable-tag" "The tag is a moving tag."
        why "The same document can deploy another image tomorrow, without a change in Git."
        fix "Use the tag of a release, and pin it with a digest."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres:1.16.0-rolling
"#;
    NoDigest "KDB221" "no-digest" "The image has no digest, so its contents may change."
        why "Tags are mutable; only a digest identifies contents."
        fix "Append the digest. `docker buildx imagetools inspect IMAGE` prints it, and Renovate keeps it up to date."
        example r#"schema: kasm-db/v1
image: kasmweb/postgres:1.16.0
"#;
    ClassWithoutEffect "KDB222" "class-without-effect" "A class has no effect at this position."
        why "Classes are added up from left to right, so an item can have no effect: `none` takes nothing away."
        fix "Remove the item, or use `-class` to take a class away."
        example r#"schema: kasm-db/v1
audit:
  classes: [read, none]
"#;
    // 3xx: what is there cannot be reconciled: compose files.
    ComposeSyntax "KDB301" "compose-syntax" "A compose file is not valid YAML."
        why "It cannot be changed safely, and Compose does not read it either."
        fix "Fix the file at this place. `docker compose config` shows whether Compose can read it."
        example r#"services:
  db: {image: postgres:14
"#;
    NoComposeFile "KDB302" "no-compose-file" "The target has no compose file."
        why "A deployment has its compose file at docker/docker-compose.yaml, an installer at docker/docker-compose-*.yaml."
        fix "Check the path of the target. If the files are in other places, name them under `files`."
        example r#"targets:
  - name: current
    deployment: /opt/kasm        # /opt/kasm/current was meant
"#;
    NoService "KDB303" "no-database-service" "No compose file of the target has the database service."
        why "There is no service whose image could be set. A deployment with an external database has none."
        fix "Name the service under `files.service`, or leave out `image` and manage postgresql.conf only."
        example r#"services:
  web: {image: nginx:1.27}
"#;
    AmbiguousService "KDB304" "ambiguous-service" "More than one service may be the database."
        why "Changing the wrong one would replace the image of another program."
        fix "Give `container_name: kasm_db` to one service only; in a target with `files`, name it under `service`."
        example r#"services:
  one: {image: "postgres:14", container_name: kasm_db}
  two: {image: "postgres:14", container_name: kasm_db}
"#;
    DuplicateImage "KDB305" "duplicate-image" "The service has two `image` keys."
        why "Compose rejects such a file, and it is not clear which of the two is meant."
        fix "Remove one of the two lines."
        example r#"services:
  db:
    image: postgres:14
    image: postgres:16
"#;
    ImageShape "KDB306" "image-shape" "The image is written in a way that cannot be changed safely."
        why "A change of the image would change something else as well."
        fix "Write the image as plain text in the service itself."
        example r#"services:
  db:
    image: [postgres, "14"]
"#;
    BuiltImage "KDB307" "built-image" "The service's image is built from source."
        why "With `build`, Compose builds the image, and `image` only names the result."
        fix "Build the image in your pipeline and use its name, or remove `build`."
        example r#"services:
  db:
    build: ./database
"#;
    NotPostgres "KDB308" "not-postgres" "The service does not look like PostgreSQL."
        allow "the image of a service that is not the database is replaced"
        why "A service that has the database's name and the image of another program is probably not the database."
        fix "Name the right service under `files.service`. If it is the database, pass `--allow not-postgres`."
        example r#"services:
  db: {image: "mysql:8"}
"#;
    ComposeReference "KDB309" "compose-reference" "A file that a compose file refers to cannot be read."
        why "Its contents can change the database's service."
        fix "Check the path. It is relative to the folder of the file that contains it."
        example r#"include: [missing.yaml]
services:
  db: {image: "postgres:14"}
"#;
    DuplicateComposeKey "KDB310" "duplicate-compose-key" "A compose file contains a key twice."
        why "Compose rejects a mapping with a duplicate key; older versions used the last one."
        fix "Remove one of them."
        example r#"services:
  db:
    image: postgres:14
    restart: always
    restart: "no"
"#;
    ImageFromVariable "KDB311" "image-from-variable" "The image is written with variables and becomes a literal."
        why "From now on the document sets the image, and the variable no longer has an effect on it."
        fix "Remove the variable from `.env` if nothing else uses it."
        example r#"services:
  db: {image: "postgres:${PG_TAG:-14}"}
"#;
    CommandUnreadable "KDB312" "command-unreadable" "The service's command cannot be read."
        why "The command may set values that override postgresql.conf, and this one cannot be split into arguments."
        fix "Write `command:` as a list."
        example r#"services:
  db:
    image: postgres:14
    command: postgres -c "work_mem=8MB
"#;
    // 4xx: what is there cannot be reconciled: postgresql.conf.
    NoConf "KDB401" "no-postgresql-conf" "The database has no postgresql.conf to edit."
        why "The document declares settings, and there is no file to write them to. Releases before Kasm 1.10 have none."
        fix "Check the path of the target, or manage the image only."
        example r#"targets:
  - name: lab
    files: {postgresql_conf: conf/missing.conf}
"#;
    ConfSyntax "KDB402" "conf-syntax" "PostgreSQL would not start: the file has a syntax error."
        why "A single invalid line keeps the server from starting."
        fix "Put values with spaces, commas or other punctuation in single quotes, and close every quote."
        example r#"log_line_prefix = '%m [%p]
"#;
    ConfInclude "KDB403" "conf-include" "PostgreSQL would not start: an include fails."
        why "The server does not start if it cannot read an included file."
        fix "Correct the path, use `include_if_exists` for a file that may be missing, or create the folder of an `include_dir`."
        example r#"include 'missing.conf'
"#;
    ConfUnseen "KDB404" "conf-unseen" "An included file cannot be read from here."
        why "Its settings may override those in this file, but this host cannot read its path."
        fix "Check the file on the database's host, or in its container."
        example r#"include_if_exists '/etc/postgresql/site.conf'
"#;
    ConfValue "KDB405" "conf-value" "PostgreSQL would not start: a value is invalid."
        why "The server checks every value before it starts, including settings that the document does not manage."
        fix "Correct the line in the file, set it under `settings`, or name it under `unset`."
        example r#"max_connections = many
"#;
    ConfUnknown "KDB406" "conf-unknown-setting" "PostgreSQL would not start: a setting is unknown."
        allow "the server may refuse to start"
        why "The server does not start with a setting that its major version does not have, because it was renamed, removed or misspelt."
        fix "Use the new name, or name the setting under `unset`, which comments the line out."
        example r#"wal_keep_segments = 32           # PostgreSQL 13 and later: wal_keep_size
"#;
    ConfList "KDB407" "conf-list" "The preload list is invalid: PostgreSQL starts and loads nothing."
        why "The server starts, loads none of the libraries, and reports it only in its log."
        fix "Separate the libraries with commas, without one at the start or the end."
        example r#"shared_preload_libraries = 'pgaudit,'
"#;
    ConfElsewhere "KDB408" "conf-elsewhere" "The server reads another postgresql.conf than this one."
        allow "a file that the server may not read is changed"
        why "A change of a file that the server does not read has no effect."
        fix "Name the file that the server reads in the target, or mount this one."
        example r#"services:
  db:
    image: postgres:14
    command: postgres -c config_file=/etc/own.conf
    volumes: ["./own.conf:/etc/own.conf"]    # the target names postgresql.conf
"#;
    ConfNotMounted "KDB409" "conf-not-shown-mounted" "The compose file does not show that the server reads this file."
        why "In a target with `files`, nothing else shows it."
        fix "If the file reaches the server in another way, do nothing; otherwise mount it."
        example r#"services:
  db: {image: "postgres:14"}                 # no volume with postgresql.conf
"#;
    ConfUnchecked "KDB410" "conf-unchecked" "The settings in the file cannot be checked for a PostgreSQL major version."
        why "The available settings and values depend on the major version, which is not known."
        fix "Set `postgres_major`."
        example r#"image: registry.example.com/own/database:7
"#;
    // 5xx: the plan would do harm.
    MajorChange "KDB501" "major-change" "The PostgreSQL of the image cannot open the data directory."
        allow "the server will not start on the data directory of another major version"
        why "A server cannot open the files of another major version. It exits at once until the data is dumped and restored."
        fix "Use an image with the same major version, or migrate the data first with pg_dump or pg_upgrade."
        example r#"image: kasmweb/postgres:1.16.0    # PostgreSQL 14, and the deployment has 12
"#;
    LibraryMissing "KDB502" "library-missing" "The image lacks a preloaded library."
        allow "the server will not start if a preloaded library is missing"
        why "The server does not start if it cannot load a preloaded library. The official images have no pgaudit."
        fix "Use an image that contains the library, such as kasmweb/postgres, or remove the library from the list."
        example r#"image: postgres:14
preload:
  libraries: [pgaudit]
"#;
    OverriddenByCommand "KDB503" "overridden-by-command" "The command line overrides the value in the file."
        allow "the value in the file has no effect"
        why "A change of the file has no effect on a setting that the command line sets."
        fix "Remove the option from `command:` in the compose file, or set the declared value there."
        example r#"services:
  db:
    image: postgres:14
    command: postgres -c work_mem=4MB
"#;
    OverriddenByAutoConf "KDB504" "overridden-by-auto-conf" "`postgresql.auto.conf` overrides the value in the file."
        allow "the value in the file has no effect"
        why "ALTER SYSTEM writes postgresql.auto.conf, which is read last."
        fix "Run `ALTER SYSTEM RESET name` on the server."
        example r#"# postgresql.auto.conf
work_mem = '4MB'
"#;
    PreloadRemoved "KDB505" "preload-removed" "A preloaded library would be removed."
        allow "whatever needs the library stops working"
        why "Whatever needs the library stops working at the next restart."
        fix "Add it to `preload.libraries`, use `mode: ensure`, or allow the removal with `--allow preload-removed`."
        example r#"preload:
  mode: exact
  libraries: [pgaudit]             # the file has pg_stat_statements, too
"#;
    NotProved "KDB506" "not-proved" "The planned edit does not read back as declared."
        why "Every plan is applied in memory and read back. The result of this one is not the declared state, so it is not shown."
        fix "Change the file by hand, and report its shape to the project."
        example r#"services: {db: &db {image: "postgres:14"}, other: *db}
"#;
    UnknownCurrentMajor "KDB507" "unknown-current-major" "The PostgreSQL major version of the current image is not known."
        why "It cannot be checked whether the new image can open the data directory."
        fix "Make sure that both images have the same PostgreSQL major version."
        example r#"services:
  db: {image: "registry.example.com/own/postgres:7"}
"#;
    MajorUnknown "KDB508" "major-unknown" "The PostgreSQL major version of the new image is not known."
        allow "the server may not start on the existing data directory"
        why "A server does not start on the data directory of another major version, and the name of this image does not contain its own."
        fix "Set `postgres_major` to the major version in the image, or use a kasm-db that knows this release."
        example r#"image: kasmweb/postgres:9.99.0       # a release that this version does not know
"#;
    NoLongerDeclared "KDB509" "no-longer-declared" "A value that kasm-db set is no longer declared, and stays."
        why "It was changed since, or `on_removal` is `keep`. Nobody manages it any more."
        fix "Change the file by hand, or declare the value again."
        example r#"pgaudit.log = 'read, write'
"#;
    ExtensionLeft "KDB510" "extension-left" "pgaudit is no longer preloaded, and databases may still have its extension."
        why "The event triggers of the extension need the library: without it, every DDL statement fails."
        fix "Run `DROP EXTENSION pgaudit;` in each database that has it, before the restart."
        example r#"shared_preload_libraries = ''
"#;
    RecordUnseen "KDB511" "record-unseen" "The record of what kasm-db set cannot be read."
        why "Without it, nobody knows which values to restore that are no longer declared."
        fix "Run kasm-db as root or with sudo. If the record is damaged, `kasm-db rollback` still works."
        example r#".kasm-db/managed
"#;
    SharedFile "KDB512" "shared-file" "Two targets of a run share a file, and one of them changes it."
        why "A plan holds only for the files that it was made from. Once the change for one target is written, the plan of the other is out of date."
        fix "Merge the targets into one, or plan and apply one after the other with `--target`."
        example r#"targets:
  - {name: first, deployment: /opt/kasm/current}
  - {name: again, deployment: /opt/kasm/1.17.0}    # the folder that `current` leads to
"#;
    // 6xx: reading.
    Unreadable "KDB601" "unreadable" "A file cannot be read."
        why "It cannot be compared with the document."
        fix "Run kasm-db as a user who can read it, such as root, or correct what is at its path."
        example r#"docker/docker-compose.yaml         # a folder, a link, or a file of more than 1 MiB
"#;
    InsecurePermissions "KDB603" "insecure-permissions" "Users other than its owner can write to a file or its folder."
        allow "whoever can write there decides what the database runs"
        why "Whoever can replace a file during or after an apply decides what the database runs, and what root runs."
        fix "Remove the permission with `chmod go-w`. A non-root user's primary group is accepted."
        example r#"docker/docker-compose.yaml         # mode 0666
"#;
    EditedSince "KDB604" "edited-since" "A file was edited since the last apply."
        allow "edits made by hand are lost"
        why "A rollback restores the file of an earlier apply, and discards what was changed since."
        fix "Save what you need of the lines that the diff removes, then pass `--allow edited-since`, or keep the file as it is."
        example r#"conf/database/postgresql.conf      # edited by hand after `kasm-db apply`
"#;
    FileGone "KDB605" "file-gone" "A file that a rollback would restore does not exist."
        allow "the file stays missing, and the others are restored"
        why "A rollback replaces files and creates none; the file may have been removed on purpose."
        fix "Leave it out with `--allow file-gone`, or create a file with this name first."
        example r#"docker/.conf/docker-compose-all-upgrade.yaml   # removed after `kasm-db apply`
"#;
    ForeignOwner "KDB606" "foreign-owner" "A program that root runs, or a folder above the target, belongs to another user."
        allow "that user decides what root runs"
        why "The owner of a program, or of a folder above it, can replace it, and root would run the replacement."
        fix "Change the owner to root, or name the user under `restart.trust` in a document that belongs to root."
        example r#"bin/stop                           # belongs to the user kasm, and apply runs as root
"#;
    // 7xx: the running server.
    Unreachable "KDB701" "server-unreachable" "The running server cannot be reached."
        why "Files show only what a server should do; what it does must be queried."
        fix "Start the deployment, or correct `verify` in the document, as the message says."
        example r#"verify:
  container: kasm_db                # no such container, or it restarts again and again
"#;
    ImageNotRunning "KDB702" "image-not-running" "The container does not run the declared image."
        why "A container keeps the image that it was created from, even if the compose file changes."
        fix "Stop and start the deployment to recreate the container."
        example r#"image: kasmweb/postgres:1.16.0    # the container runs postgres:14-alpine
"#;
    MajorNotRunning "KDB703" "major-not-running" "The server does not have the declared PostgreSQL major version."
        why "The available settings depend on the major version."
        fix "Declare the image and the `postgres_major` of the running server."
        example r#"postgres_major: 14                # the server says 16
"#;
    ConfNotRead "KDB704" "conf-not-read" "The server reads another postgresql.conf than the one on the host."
        why "A container with a single-file bind mount keeps the old file when it is replaced on the host."
        fix "Stop and start the deployment. If the volume is another file, correct the compose file."
        example r#"volumes:
  - ./conf/postgresql.conf:/var/lib/postgresql/conf/postgresql.conf
"#;
    ConfNotTaken "KDB705" "conf-not-taken" "The server found an error in its files and ignored them."
        why "A running server keeps the old values, reports the error only in its log, and may not start again."
        fix "Fix the line named in the message."
        example r#"pgaudit.log = 'read, wrote'       # the server warns, and audits nothing
"#;
    LibraryNotLoaded "KDB706" "library-not-loaded" "The server has not loaded a library."
        why "Preload libraries are loaded only when the server starts."
        fix "Stop and start the deployment, with an image that contains the library."
        example r#"shared_preload_libraries = 'pgaudit'    # written after the start
"#;
    NotEffective "KDB707" "setting-not-effective" "The running server does not have the declared value."
        why "A value in a file has no effect until the server reads it, and a `SET` only affects its own session."
        fix "Apply the document, or reload the server: `SELECT pg_reload_conf();`."
        example r#"SET pgaudit.log = 'read, write';    -- ends with the session
"#;
    RestartPending "KDB708" "restart-pending" "A value in the file takes effect only after a restart."
        why "Some settings are read only when the server starts."
        fix "Stop and start the deployment."
        example r#"max_connections = 200             # the server was started with 100
"#;
    Overridden "KDB709" "setting-overridden" "The value on the running server is not set by postgresql.conf."
        why "ALTER SYSTEM, ALTER DATABASE, ALTER ROLE and the command line override the file."
        fix "Run the statement in the message, or remove the option from the compose file."
        example r#"ALTER DATABASE kasm SET pgaudit.log = 'none';
"#;
    ExtensionMissing "KDB710" "extension-missing" "A database lacks the pgaudit extension."
        why "Without it, entries of DDL do not name the objects. It may have been lost when a dump was restored."
        fix "Run `CREATE EXTENSION pgaudit SCHEMA pg_catalog;` in the database, or apply with `restart: {policy: if_needed}`."
        example r#"audit:
  databases: [kasm]                 # where CREATE EXTENSION was never run
"#;
    ClassNotLogged "KDB711" "class-not-logged" "A statement of a declared class left no entry in the server's log."
        why "Settings that look right prove nothing if the log stays empty."
        fix "Fix the other failures first, then check log_min_messages and the settings of this role."
        example r#"ALTER ROLE kasmapp SET pgaudit.log = 'none';
"#;
    NotChecked "KDB712" "not-checked" "Something could not be checked on the running server."
        why "A check that could not be made has not passed: the server, or the user's rights, may have gone in between."
        fix "Do what the message says, and check again. Only what the document or an option rules out is skipped."
        example r#"verify:
  user: monitor                     # may not read pg_file_settings
"#;
    NextStartDiffers "KDB721" "next-start-differs" "The next start would not have a declared value."
        why "The server reads more than postgresql.conf: ALTER SYSTEM writes to a file that wins over it, and a value that needs a restart waits there until somebody restarts."
        fix "Run the statement that is named, or declare the value; then apply again."
        example r#"ALTER SYSTEM SET max_connections = 300;    -- the document declares 120
"#;
    WouldNotStart "KDB722" "would-not-start" "The database would not come up again if it were stopped now."
            allow "the database may stay down: it is stopped although something that it needs to start is missing"
        why "A running server keeps running with files that no server starts with, and without the image, the volume or the network that its container was made from."
        fix "Fix what is named; the running database is left alone until then."
        example r#"ALTER SYSTEM SET shared_preload_libraries = 'pgaudit,pg_cron';    -- one name, of a library that is not there
"#;
    NextStartUnknown "KDB723" "next-start-unknown" "What the server reads at its next start cannot be seen."
            allow "the database may come up with other values than the declared ones, or not at all"
        why "Only a superuser sees which files a server reads, and postgresql.auto.conf is readable by the server's user alone."
        fix "Run as root where the container runs, or name a superuser under `verify: {user: …}`."
        example r#"verify:
  connect: tcp
  user: auditor                     # not a superuser
"#;
    StartNotChecked "KDB724" "start-not-checked" "Something that a start needs could not be checked before the stop."
        why "Before a database is stopped, everything that its start needs is looked for: the image, networks, volumes, names, files and free space. What could not be seen may be missing."
        fix "Run kasm-db as root on the engine's host, and see that the engine answers; or check what is named by hand."
        example r#"services:
  db: {image: "kasmweb/postgres:1.16.0", user: "${DB_USER}"}    # no file sets DB_USER
"#;
    DockerMissing "KDB725" "docker-missing" "The database must be restarted or reloaded, and the docker command is not available."
        why "With `verify: {connect: docker}`, the default, the server is reached through its container: before a restart, for a reload, and to see that it is up again. The container image of kasm-db has no docker command."
        fix "Write the files only, with `--files-only`, or run kasm-db on the host of the database. For a server that is reached over TCP, write `verify: {connect: tcp}`."
        example r#"restart:
  policy: if_needed                 # in a container that has no docker command
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
