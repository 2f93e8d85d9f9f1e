//! The classes of `pgaudit.log`, and what a list of them adds up to.

/// A class of statements, as pgaudit names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// SELECT and COPY from a relation.
    Read,
    /// INSERT, UPDATE, DELETE, TRUNCATE and COPY to a relation.
    Write,
    /// Function calls and DO blocks.
    Function,
    /// GRANT, REVOKE, CREATE, ALTER and DROP ROLE.
    Role,
    /// All DDL that is not in `role`.
    Ddl,
    /// DISCARD, FETCH, CHECKPOINT, VACUUM, SET, …
    Misc,
    /// SET alone.
    MiscSet,
    /// Every class.
    All,
    /// No class; it does not take away the others.
    None,
}

/// Every class with its name and its bits; `misc` includes `misc_set` (pgaudit 1.4 to 19beta1).
const CLASSES: &[(Class, &str, u8)] = &[
    (Class::Read, "read", 0b000_0001),
    (Class::Write, "write", 0b000_0010),
    (Class::Function, "function", 0b000_0100),
    (Class::Role, "role", 0b000_1000),
    (Class::Ddl, "ddl", 0b001_0000),
    (Class::Misc, "misc", 0b110_0000),
    (Class::MiscSet, "misc_set", 0b100_0000),
    (Class::All, "all", 0b111_1111),
    (Class::None, "none", 0),
];

impl Class {
    /// Returns the class of a name, in any letter case.
    pub fn from_name(name: &str) -> Option<Self> {
        CLASSES.iter().find(|row| row.1.eq_ignore_ascii_case(name)).map(|row| row.0)
    }

    /// Returns the class's name.
    pub fn name(self) -> &'static str {
        CLASSES.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// Returns the names of all classes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CLASSES.iter().map(|row| row.1)
    }

    /// Lists all classes.
    pub fn all() -> impl Iterator<Item = Self> {
        CLASSES.iter().map(|row| row.0)
    }

    /// Returns the statements that the class logs.
    pub fn statements(self) -> &'static str {
        match self {
            Self::Read => "SELECT, and COPY whose source is a table or a query",
            Self::Write => "INSERT, UPDATE, DELETE, TRUNCATE, and COPY whose destination is a table",
            Self::Function => "function calls and DO blocks",
            Self::Role => "GRANT, REVOKE, CREATE ROLE, ALTER ROLE, and DROP ROLE",
            Self::Ddl => "every other statement that creates, alters, or drops an object",
            Self::Misc => "DISCARD, FETCH, CHECKPOINT, VACUUM, SET, and others",
            Self::MiscSet => "SET only",
            Self::All => "every class",
            Self::None => "nothing; it does not subtract the others",
        }
    }

    fn bits(self) -> u8 {
        CLASSES.iter().find(|row| row.0 == self).map_or(0, |row| row.2)
    }
}

/// What is audited: the set of classes that a list adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassSet(u8);

impl ClassSet {
    /// Adds up items such as `read` and `-misc`, left to right; `None` where one is no class.
    ///
    /// The order counts: `all, -misc` is all but `misc`, `-misc, all` is all.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        items.into_iter().try_fold(Self(0), Self::and)
    }

    /// Adds one more item; `None` where it is no class.
    pub fn and(self, item: &str) -> Option<Self> {
        let (name, subtract) = item.strip_prefix('-').map_or((item, false), |name| (name, true));
        let bits = Class::from_name(name)?.bits();
        Some(Self(if subtract { self.0 & !bits } else { self.0 | bits }))
    }

    /// Reads the value of `pgaudit.log`; `None` where pgaudit refuses it and audits nothing.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let items = pgconf::split_identifiers(value)?;
        let items: Vec<_> =
            items.iter().map(|item| std::str::from_utf8(item)).collect::<Result<_, _>>().ok()?;
        Self::of(items)
    }

    /// Lists the single classes that it adds up to: `all` and `none` are none, and `misc` is what
    /// `misc_set` is not.
    pub fn classes(self) -> Vec<Class> {
        let bit = |class: Class| match class {
            Class::All | Class::None => 0,
            Class::Misc => class.bits() & !Class::MiscSet.bits(),
            single => single.bits(),
        };
        CLASSES.iter().map(|row| row.0).filter(|class| self.0 & bit(*class) != 0).collect()
    }

    /// Returns the names of [`ClassSet::classes`] as a list, and `none` if there are none.
    pub fn list(self) -> String {
        let names: Vec<_> = self.classes().into_iter().map(Class::name).collect();
        if names.is_empty() { Class::None.name().to_string() } else { names.join(", ") }
    }

    /// Returns whether nothing is audited.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(a: &str, b: &str) {
        let parse = |text: &str| ClassSet::parse(text.as_bytes()).unwrap();
        assert_eq!(parse(a), parse(b), "{a} and {b}");
    }

    #[test]
    fn lists_are_compared_by_what_they_add_up_to() {
        same("read, write", "WRITE,read,read");
        same("all, -misc", "read,write,function,role,ddl");
        same("-misc, all", "all");
        same("read, none", "read");
        same("all, -none", "all");
        same("read, -all, ddl", "ddl");
        same("misc, -misc_set, misc_set", "misc");
        same("\"READ\", \"-misc\"", "read");
        same("", "none");
    }

    #[test]
    fn a_set_lists_its_classes() {
        let names = |text: &str| {
            let classes = ClassSet::parse(text.as_bytes()).unwrap().classes();
            classes.into_iter().map(Class::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("all, -write"), "read function role ddl misc misc_set");
        assert_eq!(names("misc, -misc_set, read"), "read misc");
        assert_eq!(names("ddl, misc_set"), "ddl misc_set");
        assert_eq!(names("none"), "");
    }

    #[test]
    fn what_pgaudit_refuses_is_nothing() {
        for value in ["read write", "read,", "banana", "+read", "- misc", "read;write"] {
            assert_eq!(ClassSet::parse(value.as_bytes()), None, "{value}");
        }
    }
}
