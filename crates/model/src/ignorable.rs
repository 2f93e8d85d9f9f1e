//! The warnings that a document or the command line can silence by name.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::code::Code;
use crate::diagnostic::Diagnostic;

/// Defines [`Ignorable`] from the table below: the names are those of the codes, which a test compares.
macro_rules! ignorable {
    ($($code:ident $name:literal;)*) => {
        /// The name of a warning that can be silenced.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[allow(missing_docs, reason = "schemars turns documented variants into oneOf, whose errors say nothing")]
        pub enum Ignorable {
            $(#[serde(rename = $name)] $code,)*
        }

        impl Ignorable {
            /// Every one of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// Returns the code of the warning.
            pub fn code(self) -> Code {
                match self { $(Self::$code => Code::$code,)* }
            }
        }
    };
}

// Not here: blockers, which `--allow` overrides; what nobody may overlook, as an unknown major of a new image; and whatever
// says that the audit log or the running server is not as declared.
ignorable! {
    MutableTag "mutable-tag";
    NoDigest "no-digest";
    ClassWithoutEffect "class-without-effect";
    BuiltImage "built-image";
    ComposeReference "compose-reference";
    DuplicateComposeKey "duplicate-compose-key";
    CommandUnreadable "command-unreadable";
    ConfUnseen "conf-unseen";
    ConfNotMounted "conf-not-shown-mounted";
    ConfUnchecked "conf-unchecked";
    UnknownCurrentMajor "unknown-current-major";
    NoLongerDeclared "no-longer-declared";
}

impl Ignorable {
    /// Finds one by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        self.code().name()
    }

    /// Removes the warnings that are silenced, and returns them. Errors stay, whatever their code.
    pub fn take(silenced: &[Self], findings: &mut Vec<Diagnostic>) -> Vec<Diagnostic> {
        if silenced.is_empty() {
            return Vec::new();
        }
        let is_silenced =
            |one: &mut Diagnostic| !one.is_error() && silenced.iter().any(|name| name.code() == one.code);
        let mut taken: Vec<_> = findings.extract_if(.., is_silenced).collect();
        taken.shrink_to_fit();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_name_of_its_code_and_is_neither_a_blocker_nor_about_a_running_server() {
        for one in Ignorable::ALL {
            let read: Ignorable = serde_json::from_value(one.name().into()).unwrap();
            assert_eq!(read, *one);
            assert_eq!(one.code().risk(), None, "{} is a blocker", one.name());
            assert!(one.code().id() < "KDB600", "{}", one.name());
            assert_ne!(one.code(), Code::MajorUnknown);
        }
    }

    #[test]
    fn takes_warnings_and_never_errors() {
        let mut findings = vec![
            Diagnostic::warning(Code::NoDigest, "a"),
            Diagnostic::error(Code::ConfUnseen, "b"),
            Diagnostic::warning(Code::ConfUnseen, "c"),
        ];
        let taken = Ignorable::take(&[Ignorable::ConfUnseen], &mut findings);
        let messages = |all: &[Diagnostic]| all.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
        assert_eq!((messages(&taken), messages(&findings)), (vec!["c".into()], vec!["a".into(), "b".into()]));
    }
}
