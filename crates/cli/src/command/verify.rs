//! `kasm-db verify`

use commit::Root;
use model::DesiredState;
use render::TargetKind;

use crate::args::{Global, ReportFormat, Verify};
use crate::disk::Disk;
use crate::exit::{Exit, Failure};
use crate::live::check::{Check, checks};
use crate::live::gather::{Host, Options, gather};
use crate::live::hushed::hush;
use crate::output::{Terminal, report};
use crate::target::Place;

/// Asks the running server whether it does what the document says.
pub(crate) fn run(args: &Verify, global: &Global, terminal: &Terminal) -> Result<Exit, Failure> {
    let options = Options { sslmode: args.sslmode, probe: !args.no_probe };
    let mut reports = Vec::new();
    let exit = super::each_place(global, terminal, &mut |desired, place, whose| {
        let looked = look(desired, place, &place.open()?, options, global);
        let failed = matches!(&looked, Looked::Checked(checks) if checks.iter().any(Check::is_failure));
        reports.push((whose.clone(), looked));
        Ok(if failed { Exit::Unfinished } else { Exit::Done })
    })?;
    let text = match args.format {
        ReportFormat::Human => report::verified(&reports, global),
        ReportFormat::Json => report::verified_json(&reports),
    };
    terminal.result(&text)?;
    Ok(exit)
}

/// What came of looking at a target's server.
pub(crate) enum Looked {
    /// There is nothing running from it, or nobody shall be asked; why.
    Not(&'static str),
    Checked(Vec<Check>),
}

/// Looks at the server of a target.
pub(crate) fn look(
    desired: &DesiredState,
    place: &Place,
    root: &Root,
    options: Options,
    global: &Global,
) -> Looked {
    if place.target.kind == TargetKind::Installer {
        return Looked::Not("nothing runs from an installer");
    }
    let prefix = global.root.as_deref();
    hush(place, root, prefix);
    let observed = render::observe(&place.target, &Disk::new(root, prefix));
    match gather(desired, &Host { observed: &observed, root, prefix }, options) {
        Some(facts) => Looked::Checked(checks(desired, &facts)),
        None => Looked::Not("the document says `verify: {connect: none}`"),
    }
}
