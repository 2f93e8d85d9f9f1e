//! `kasm-db explain`

use model::explain::{find, nearest};

use crate::args::Explain;
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, explain};

/// Explains all that a name may mean, or lists what can be explained.
pub(crate) fn run(args: &Explain, terminal: &Terminal) -> Result<Exit, Failure> {
    let Some(subject) = args.subject.as_deref() else {
        terminal.result(&explain::list())?;
        return Ok(Exit::Done);
    };
    let found = find(subject);
    if found.is_empty() {
        let message = format!("`{subject}` is neither a code, nor a field, nor a setting");
        return Err(Failure::new(Exit::Usage, message).help(match nearest(subject) {
            Some(meant) => format!("did you mean `{meant}`? `kasm-db explain` lists all"),
            None => "`kasm-db explain` lists the codes and fields".into(),
        }));
    }
    terminal.result(&explain::all(&found))?;
    Ok(Exit::Done)
}
