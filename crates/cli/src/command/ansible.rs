//! `kasm-db ansible`

mod options;

use std::sync::Mutex;

use model::document::Policy;
use ops::{Error, Outcome};

use self::options::Options;
use super::{Setting, apply, plan, verify};
use crate::args::{Ansible, Apply, Global, Plan, Verify, Writing};
use crate::output::emitter::State;

/// Runs one task of Ansible: the command that its `state` names, with the options of the task in place of the command
/// line and of the environment. The reply is the run's only result.
pub(crate) fn run(args: &Ansible, setting: &Setting) -> Result<Outcome, Error> {
    let options = Options::read(&args.arguments)?;
    setting.results.each(|emitter| {
        emitter.asked(options.asked);
        Ok(())
    })?;
    let inner = inner(&options, setting);
    let is_check = options.asked.check;
    match options.asked.state {
        State::Planned => plan::run(&Plan { detailed_exitcode: true, ..Plan::default() }, &inner),
        // The statements of the probe are in the server's log afterwards.
        State::Verified => verify::run(&Verify { no_probe: is_check, ..Verify::default() }, &inner),
        State::Present => {
            let writing =
                Writing { yes: true, dry_run: is_check, message: options.message, ..Writing::default() };
            let no_restart = options.asked.leaves_restart;
            apply::run(&Apply { writing, no_restart, ..Apply::default() }, &inner)
        }
    }
}

/// Returns the setting of the command that is run: nothing of the caller's `-f`, `--target` and the like holds for it.
fn inner(options: &Options, setting: &Setting) -> Setting {
    Setting {
        outputs: setting.outputs.clone(),
        terminal: setting.terminal,
        progress: setting.progress.clone(),
        environment: setting.environment.clone(),
        global: Global {
            file: options.config.iter().cloned().collect(),
            recursive: false,
            target: options.target.clone(),
            deployment: None,
            installer: None,
            root: options.root.clone(),
            top: None,
            allow: options.allow.clone(),
            ignore: Vec::new(),
            show_secrets: false,
            quiet: true,
            verbose: 0,
            no_input: true,
            ..setting.global.clone()
        },
        results: setting.results.clone(),
        shows_repeated: false,
        said: Mutex::default(),
        text: options.text.clone(),
        // To leave it is another thing than not to want it: what the document wants stays pending.
        restart: options.restart.filter(|policy| *policy == Policy::IfNeeded),
    }
}
