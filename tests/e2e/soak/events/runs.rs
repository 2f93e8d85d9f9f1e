//! Runs of `kasm-db` that are killed, or meet each other.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use testing::Random;

use crate::bed::{Run, finish};
use crate::soak::site::Site;
use crate::soak::truth::Truth;

fn in_background(site: &Site, arguments: &str) -> Command {
    let mut command = site.bed.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// An apply is killed at any moment; another run ends what it began.
pub(in crate::soak) fn killed(site: &mut Site, random: &mut Random) -> usize {
    site.declare_restart();
    let mut child = in_background(site, "apply --yes").spawn().unwrap();
    sleep(Duration::from_millis(random.below(3000) as u64));
    child.kill().unwrap();
    child.wait().unwrap();
    site.wait_for_commands();
    let truth = site.settled(|truth| !matches!(truth, Truth::Down(why) if why.contains("starting up")));
    let status = site.bed.run("status");
    match (&truth, status.code) {
        // What follows the files may not be done yet.
        (Truth::InOrder, Some(0 | 2 | 8 | 9))
        | (Truth::Differs(_), Some(2 | 8 | 9))
        | (Truth::Down(_), Some(8 | 9)) => {}
        (_, code) => panic!("{truth:?}, and {code:?}:\n{}{}", status.stdout, status.stderr),
    }
    if random.chance(50) {
        site.bed.run("recover").expect(0);
    }
    site.apply();
    1
}

/// Two admins apply at the same time: one of them does it, and the other one is told, or finds nothing to do.
pub(in crate::soak) fn two_admins(site: &mut Site, random: &mut Random) -> usize {
    site.declare_restart();
    let arguments = if random.chance(50) { "apply --yes" } else { "apply --yes --lock-timeout 60" };
    let (one, other): (Run, Run) = std::thread::scope(|scope| {
        let second = random.below(1500) as u64;
        let one = scope.spawn(|| finish(&mut site.bed.command("apply --yes")));
        sleep(Duration::from_millis(second));
        let other = finish(&mut site.bed.command(arguments));
        (one.join().unwrap(), other)
    });
    let codes = (one.code.unwrap(), other.code.unwrap());
    let is_right = matches!(codes, (0, 0) | (0, 6) | (6, 0));
    assert!(is_right, "{codes:?}:\n{}\n{}", one.stderr, other.stderr);
    1
}

/// Somebody looks all the time while an apply runs: nobody is told that all is well before it is.
pub(in crate::soak) fn cron(site: &mut Site, random: &mut Random) -> usize {
    site.declare_restart();
    let mut child = in_background(site, "apply --yes").spawn().unwrap();
    let arguments = if random.chance(50) { "status" } else { "status --deep" };
    loop {
        let status = site.bed.run(arguments);
        let ended = child.try_wait().unwrap();
        assert!(
            matches!(status.code, Some(0 | 2 | 6 | 8 | 9)),
            "{:?}: {}{}",
            status.code,
            status.stdout,
            status.stderr
        );
        if status.code == Some(0) {
            let truth = site.truth();
            assert_eq!(truth, Truth::InOrder, "{}", status.stdout);
        }
        if let Some(ended) = ended {
            assert!(ended.success(), "{ended}");
            return 1;
        }
    }
}
