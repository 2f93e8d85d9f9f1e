//! `kasm-db explain`

use model::Code;
use model::explain::{field, fields, setting};
use model::postgres;

use crate::args::Explain;
use crate::exit::{Exit, Failure};
use crate::output::{Terminal, explain};

/// Explains a code, a field of the document or a setting, or lists what can be explained.
pub(crate) fn run(args: &Explain, terminal: &Terminal) -> Result<Exit, Failure> {
    let Some(subject) = args.subject.as_deref() else {
        terminal.result(&explain::list())?;
        return Ok(Exit::Done);
    };
    let name =
        subject.get(..9).filter(|start| start.eq_ignore_ascii_case("settings.")).map(|_| &subject[9..]);
    let text = if let Some(code) = Code::find(subject) {
        explain::code(code)
    } else if let Some(field) = field(subject) {
        explain::field(field)
    } else if let Some(help) = name.and_then(setting) {
        explain::setting(&help)
    } else {
        return Err(unknown(subject, name));
    };
    terminal.result(&text)?;
    Ok(Exit::Done)
}

fn unknown(subject: &str, setting: Option<&str>) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("`{subject}` is neither a code nor a field"));
    let meant = match setting {
        Some(name) => {
            postgres::nearest(name, *postgres::MAJORS.end()).map(|meant| format!("settings.{meant}"))
        }
        None => {
            let codes = Code::ALL.iter().flat_map(|code| [code.id(), code.name()]);
            let known = codes.chain(fields().iter().map(|field| field.path.as_str()));
            model::nearest(subject, known).map(String::from)
        }
    };
    failure.help(match meant {
        Some(meant) => format!("did you mean `{meant}`? `kasm-db explain` lists all"),
        None => "`kasm-db explain` lists all".into(),
    })
}
