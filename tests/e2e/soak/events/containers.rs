//! What happens to the container, its image and its engine.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use testing::Random;

use crate::bed::{WITH, docker, engine, finish};
use crate::soak::site::Site;
use crate::soak::truth::{Truth, text};

#[track_caller]
fn down(site: &Site) -> crate::bed::Run {
    let truth = site.truth();
    assert!(matches!(truth, Truth::Down(_)), "{truth:?}");
    let (status, verify) = site.agree(&truth);
    status.says(&["server unreachable: "]);
    verify
}

/// Starts the deployment in one of the ways that are named.
fn start(site: &Site, random: &mut Random) {
    site.bed.bin("start");
    site.bed.wait();
    if random.chance(30) {
        site.apply();
    }
}

/// The container is killed, which its engine takes for a stop.
pub(in crate::soak) fn killed(site: &mut Site, random: &mut Random) -> usize {
    docker(&["kill", &site.bed.name]);
    down(site).says(&["does not run", "bin/start"]);
    start(site, random);
    1
}

/// The server's first process is killed: its engine starts the container again.
pub(in crate::soak) fn server_killed(site: &mut Site, _: &mut Random) -> usize {
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &site.bed.name]);
    let before = site.bed.identity();
    assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    // Whatever is said meanwhile, it is not wrong: only a server that answers is in order.
    let status = site.bed.run("status");
    assert!(matches!(status.code, Some(0 | 9)), "{:?}: {}", status.code, status.stdout);
    let truth = site.settled(|truth| *truth == Truth::InOrder && site.bed.identity() != before);
    assert_eq!(truth, Truth::InOrder);
    1
}

/// The container is paused.
pub(in crate::soak) fn paused(site: &mut Site, _: &mut Random) -> usize {
    docker(&["pause", &site.bed.name]);
    let verify = down(site).says(&["is paused"]);
    site.fix_on_host(&verify, "docker unpause");
    0
}

/// The container is removed.
pub(in crate::soak) fn removed(site: &mut Site, random: &mut Random) -> usize {
    docker(&["rm", "--force", &site.bed.name]);
    down(site).says(&["there is no container", "start the deployment"]);
    start(site, random);
    1
}

/// Somebody else's container has the name of the database's.
pub(in crate::soak) fn second(site: &mut Site, random: &mut Random) -> usize {
    let name = site.bed.name.clone();
    docker(&["rm", "--force", &name]);
    docker(&["create", "--name", &name, "--network", "none", WITH, "sleep", "600"]);
    down(site);
    site.declare_restart();
    let run = site.bed.run("apply --yes").expect(4);
    let run = run.says(&["is taken by a container which Compose did not make", "KDB722", "nothing changed"]);
    site.fix_on_host(&run, "docker rename");
    docker(&["rm", "--force", &format!("{name}-other")]);
    if random.chance(50) {
        site.bed.start();
        site.apply();
        2
    } else {
        site.apply();
        1
    }
}

/// The image is removed from the engine, and no registry has it.
pub(in crate::soak) fn image_missing(site: &mut Site, _: &mut Random) -> usize {
    docker(&["rmi", "--no-prune", &site.image]);
    site.declare_restart();
    let before = site.bed.identity();
    let run = site.bed.run("apply --yes").expect(4);
    run.says(&["cannot be pulled, and the engine does not have it", "docker load", "nothing changed"]);
    site.bed.run("apply --yes --no-pull").expect(4).says(&["`--no-pull` forbids to pull it"]);
    assert_eq!(site.bed.identity(), before);
    docker(&["tag", WITH, &site.image]);
    site.apply();
    1
}

/// The engine does not answer whoever asks.
pub(in crate::soak) fn engine_lost(site: &mut Site, _: &mut Random) -> usize {
    site.declare_restart();
    for (arguments, codes) in [("status", [9, 9]), ("verify --no-probe", [9, 9]), ("apply --yes", [9, 1])] {
        if arguments == "apply --yes" {
            // The stop needs the engine as well: the database is left alone.
            site.bed.run("apply --yes --no-restart").expect(9);
        }
        let mut command = site.bed.command(arguments);
        let run = finish(command.env("DOCKER_HOST", "unix:///nowhere.sock"));
        assert!(
            codes.contains(&run.code.unwrap()),
            "{arguments}: {:?}: {}{}",
            run.code,
            run.stdout,
            run.stderr
        );
        run.says(&["Docker"]);
    }
    site.apply();
    1
}

/// The engine ends, with all containers, and starts again with those that are to be restarted.
pub(in crate::soak) fn engine_restarted(site: &mut Site, _: &mut Random) -> usize {
    let socket = engine().unwrap().strip_prefix("unix://").unwrap().to_string();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let of = |path: &std::path::Path| std::fs::read(path.join("cmdline")).unwrap_or_default();
    let mut found = all.map(|process| process.path()).filter(|path| {
        let line = of(path);
        line.starts_with(b"dockerd\0") && String::from_utf8_lossy(&line).contains(&socket)
    });
    let process = found.next().expect("the engine's process");
    let line = String::from_utf8(of(&process)).unwrap();
    let arguments: Vec<_> = line.split('\0').filter(|word| !word.is_empty()).map(String::from).collect();
    let pid = process.file_name().unwrap().to_str().unwrap().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    while process.exists() && !text(&state(&pid)).starts_with('Z') {
        sleep(Duration::from_millis(50));
    }
    let truth = site.truth();
    assert!(matches!(truth, Truth::Down(_)), "{truth:?}");
    let (_, verify) = site.agree(&truth);
    verify.says(&["the Docker engine does not answer"]);
    let mut engine = Command::new("setsid");
    engine.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(engine.spawn().unwrap());
    let truth = site.settled(|truth| *truth == Truth::InOrder);
    assert_eq!(truth, Truth::InOrder);
    1
}

fn state(pid: &str) -> std::process::Output {
    Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap()
}
