//! Every diagnostic code: one row for each.

/// Defines [`Code`] from the table below, so that a code can not be without its row.
macro_rules! codes {
    ($($variant:ident $id:literal $name:literal $title:literal $(allow $allow:literal)?;)*) => {
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
        }
    };
}

codes! {
    // 0xx: the document can not be read.
    DocumentSyntax "KDB001" "document-syntax" "The document is not YAML.";
    DocumentCharacter "KDB002" "document-character" "The document holds a control or bidirectional character.";
    DocumentShape "KDB003" "document-shape" "The document is empty, is several documents, or is no mapping.";
    DocumentFeature "KDB004" "document-feature" "The document uses an anchor, an alias, a tag or a merge key.";
    DuplicateKey "KDB005" "duplicate-key" "A key stands twice in one mapping.";
    // 1xx: the document does not fit the schema.
    UnknownKey "KDB101" "unknown-key" "The key is not one of this mapping.";
    MissingKey "KDB102" "missing-key" "A required key is missing.";
    WrongType "KDB103" "wrong-type" "The value has another type.";
    WrongValue "KDB104" "wrong-value" "The value is not one of those allowed.";
    // 2xx: the document does not make sense.
    InvalidImage "KDB201" "invalid-image" "The image is not a reference with a tag.";
    UnknownMajor "KDB202" "unknown-major" "The PostgreSQL major is needed and can not be told from the image.";
    MajorMismatch "KDB203" "declared-major-mismatch" "`postgres_major` is not the major of the image.";
    SettingNotInMajor "KDB204" "setting-not-in-major" "The pgaudit of this PostgreSQL major does not have the setting.";
    ReservedSetting "KDB205" "reserved-setting" "The setting has a key of its own in the document.";
    SetAndUnset "KDB206" "set-and-unset" "The setting is both set and unset.";
    DuplicateTarget "KDB207" "duplicate-target" "Two targets have the same name.";
    TargetKind "KDB208" "target-kind" "A target needs exactly one of `deployment`, `installer` and `files`.";
    InvalidName "KDB209" "invalid-name" "The name does not follow its grammar.";
    PreloadMissing "KDB210" "audit-without-preload" "Auditing needs pgaudit in the preload libraries.";
    DuplicateItem "KDB211" "duplicate-item" "An item stands twice in a list.";
    InvalidSetting "KDB212" "invalid-setting" "PostgreSQL does not know the setting, or not this value of it.";
    MutableTag "KDB220" "mutable-tag" "The tag is one that its publisher moves.";
    NoDigest "KDB221" "no-digest" "The image has no digest, so its contents may change under its tag.";
    ClassWithoutEffect "KDB222" "class-without-effect" "A class changes nothing where it stands.";
    // 3xx: what is there can not be reconciled: compose files.
    ComposeSyntax "KDB301" "compose-syntax" "A compose file is not YAML.";
    NoComposeFile "KDB302" "no-compose-file" "The target has no compose file.";
    NoService "KDB303" "no-database-service" "No compose file of the target has the database service.";
    AmbiguousService "KDB304" "ambiguous-service" "More than one service may be the database.";
    DuplicateImage "KDB305" "duplicate-image" "The service has two `image` keys.";
    ImageShape "KDB306" "image-shape" "The image is written in a way that can not be changed safely.";
    BuiltImage "KDB307" "built-image" "The service's image is built from source.";
    NotPostgres "KDB308" "not-postgres" "The service that was found does not look like PostgreSQL."
        allow "the image of a service that is not the database is replaced";
    ComposeReference "KDB309" "compose-reference" "A file that a compose file names can not be read.";
    DuplicateComposeKey "KDB310" "duplicate-compose-key" "A compose file has a key twice.";
    ImageFromVariable "KDB311" "image-from-variable" "The image was written with variables and becomes a literal.";
    CommandUnreadable "KDB312" "command-unreadable" "The service's command can not be read.";
    // 4xx: what is there can not be reconciled: postgresql.conf.
    NoConf "KDB401" "no-postgresql-conf" "The database has no postgresql.conf that could be edited.";
    ConfSyntax "KDB402" "conf-syntax" "PostgreSQL would not start with this file.";
    ConfInclude "KDB403" "conf-include" "PostgreSQL would not start: an include does not work.";
    ConfUnseen "KDB404" "conf-unseen" "An included file can not be seen from here.";
    ConfValue "KDB405" "conf-value" "PostgreSQL would not start: it does not take this value.";
    ConfUnknown "KDB406" "conf-unknown-setting" "PostgreSQL would not start: it does not know this setting."
        allow "the server may refuse to start";
    ConfList "KDB407" "conf-list" "The preload list is invalid: PostgreSQL starts and loads nothing.";
    ConfElsewhere "KDB408" "conf-elsewhere" "The server reads another postgresql.conf than this one."
        allow "a file is changed that the server may not read";
    ConfNotMounted "KDB409" "conf-not-shown-mounted" "The compose file does not show that the server reads this file.";
    ConfUnchecked "KDB410" "conf-unchecked" "The settings in the file can not be checked against a PostgreSQL major.";
    // 5xx: the plan would do harm.
    MajorChange "KDB501" "major-change" "The new image's PostgreSQL can not open the data directory of the old one."
        allow "the server does not start on a data directory of another major";
    LibraryMissing "KDB502" "library-missing" "The image lacks a library that the server is told to preload."
        allow "the server does not start when a preloaded library is missing";
    OverriddenByCommand "KDB503" "overridden-by-command" "The command line sets the value over the file's."
        allow "the file's value has no effect";
    OverriddenByAutoConf "KDB504" "overridden-by-auto-conf" "`postgresql.auto.conf` sets the value over the file's."
        allow "the file's value has no effect";
    PreloadRemoved "KDB505" "preload-removed" "A preloaded library would be removed."
        allow "what needs the library stops working";
    NotProved "KDB506" "not-proved" "The planned edit does not read back as wanted.";
    UnknownCurrentMajor "KDB507" "unknown-current-major" "The PostgreSQL major of the present image is not known.";
    // 6xx: reading and writing.
    Unreadable "KDB601" "unreadable" "A file can not be read.";
    NotWritten "KDB602" "not-written" "The files could not be written.";
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
    fn ids_and_names_are_unique_and_in_order() {
        let ids: Vec<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
