//! Which methods of authentication a server may ask for: the value of `PGREQUIREAUTH`.

/// A method of authentication, by libpq's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// The password itself.
    Password,
    Md5,
    Gss,
    Sspi,
    ScramSha256,
    Oauth,
    /// The server asks for nothing.
    None,
}

const METHODS: &[(Method, &str)] = &[
    (Method::Password, "password"),
    (Method::Md5, "md5"),
    (Method::Gss, "gss"),
    (Method::Sspi, "sspi"),
    (Method::ScramSha256, "scram-sha-256"),
    (Method::Oauth, "oauth"),
    (Method::None, "none"),
];

impl Method {
    /// Returns libpq's name for it.
    pub(crate) fn name(self) -> &'static str {
        METHODS.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }
}

/// The methods that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// These.
    Only(Vec<Method>),
    /// All but these.
    AllBut(Vec<Method>),
}

impl Allowed {
    /// Reads a list as libpq does: names, or names that each have a `!` before them. An empty list allows all.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::AllBut(Vec::new()));
        }
        let is_negated = text.starts_with('!');
        let method = |item: &str| {
            let name = if is_negated { item.strip_prefix('!')? } else { item };
            METHODS.iter().find(|(_, known)| *known == name).map(|(method, _)| *method)
        };
        let methods = text.split(',').map(method).collect::<Option<Vec<_>>>()?;
        Some(if is_negated { Self::AllBut(methods) } else { Self::Only(methods) })
    }

    /// Returns whether a method is allowed.
    pub(crate) fn allows(&self, method: Method) -> bool {
        match self {
            Self::Only(methods) => methods.contains(&method),
            Self::AllBut(methods) => !methods.contains(&method),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_either_what_is_allowed_or_what_is_not() {
        let allows = |text: &str, method| Allowed::parse(text).map(|allowed| allowed.allows(method));
        assert_eq!(allows("", Method::Password), Some(true));
        assert_eq!(allows("scram-sha-256,md5", Method::Md5), Some(true));
        assert_eq!(allows("scram-sha-256,md5", Method::None), Some(false));
        assert_eq!(allows("!password", Method::Password), Some(false));
        assert_eq!(allows("!password", Method::None), Some(true));
        for wrong in ["scram", "md5,!none", "!none,md5", "md5, none", "MD5", "md5,", "!!md5"] {
            assert_eq!(Allowed::parse(wrong), None, "{wrong}");
        }
    }
}
