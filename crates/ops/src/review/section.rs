//! What `plan.txt` says of one target, and whether an older text of it still holds.

use render::Plan;

use super::wording::Wording;

/// What the plan says of one target.
pub(super) struct Section {
    text: String,
    /// The first line of each finding where nothing is left to do; none while something is.
    done: Option<Vec<String>>,
}

impl Section {
    /// Accepts a plan, and what is to be said of it.
    pub(super) fn new(plan: &Plan, folder: &str, wording: &dyn Wording) -> Self {
        let is_done = plan.is_empty() && !plan.is_blocked();
        let done = is_done.then(|| wording.finding_titles(plan));
        Self { text: wording.plan(plan, folder), done }
    }

    /// The line with the target's name and place, which no other line of a plan looks like.
    fn heading(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Returns whether an older text is this one, or led to where nothing is left to do and nothing new is found.
    fn is_still(&self, older: &str) -> bool {
        let known = |finding: &String| older.lines().any(|line| line == finding);
        older == self.text
            || (older.lines().next() == Some(self.heading())
                && self.done.as_ref().is_some_and(|findings| findings.iter().all(known)))
    }
}

/// Returns the whole text.
pub(super) fn joined(sections: Vec<Section>) -> String {
    let mut out = String::with_capacity(sections.iter().map(|section| section.text.len() + 1).sum());
    for (index, section) in sections.into_iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&section.text);
    }
    out
}

/// Returns whether a text is the whole one.
pub(super) fn is_joined(text: &[u8], sections: &[Section]) -> bool {
    let mut rest = text;
    for (index, section) in sections.iter().enumerate() {
        let between = if index > 0 { "\n" } else { "" };
        let own = rest.strip_prefix(between.as_bytes());
        let Some(behind) = own.and_then(|rest| rest.strip_prefix(section.text.as_bytes())) else {
            return false;
        };
        rest = behind;
    }
    rest.is_empty()
}

/// Returns whether an older text holds for every target: a fleet is not applied all at once.
pub(super) fn still_holds(older: &[u8], sections: &[Section]) -> bool {
    let Ok(mut rest) = std::str::from_utf8(older) else { return false };
    for (index, section) in sections.iter().enumerate() {
        let own = match sections.get(index + 1) {
            Some(next) => {
                let Some(end) = rest.find(&format!("\n\n{}\n", next.heading())) else { return false };
                let (own, behind) = rest.split_at(end + 1);
                rest = &behind[1..];
                own
            }
            None => rest,
        };
        if !section.is_still(own) {
            return false;
        }
    }
    !sections.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str, done: Option<&[&str]>) -> Section {
        let done = done.map(|lines| lines.iter().map(ToString::to_string).collect());
        Section { text: text.to_string(), done }
    }

    #[test]
    fn each_target_is_done_or_as_it_was() {
        let older = "a (x)\n\n  ~ a\n\nwarning[KDB1]: w\n\nb (y)\n\n  ~ b\n";
        let a = |done| section("a (x)\n\nNothing.\n", done);
        let b = || section("b (y)\n\n  ~ b\n", None);
        assert!(still_holds(older.as_bytes(), &[a(Some(&[])), b()]));
        assert!(still_holds(older.as_bytes(), &[a(Some(&["warning[KDB1]: w"])), b()]));
        assert!(!still_holds(older.as_bytes(), &[a(Some(&["warning[KDB2]: w"])), b()]), "a new warning");
        assert!(!still_holds(older.as_bytes(), &[a(None), b()]), "something is left to do");
        assert!(!still_holds(older.as_bytes(), &[b(), a(Some(&[]))]), "another order");
        assert!(!still_holds(b"\xff", &[b()]));
        let same = joined(vec![a(None), b()]);
        assert!(still_holds(same.as_bytes(), &[a(None), b()]) && is_joined(same.as_bytes(), &[a(None), b()]));
        assert!(
            !is_joined(older.as_bytes(), &[a(None), b()])
                && !is_joined(&same.as_bytes()[1..], &[a(None), b()])
        );
    }
}
