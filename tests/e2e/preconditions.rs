//! What a start needs besides settings: it is looked for before anything is stopped, and a database that would not come up
//! again keeps running.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Bed, Run, WITH, docker, engine, has_no_engine};
use crate::registry::Registry;
use crate::steps::step;

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";
const CONF: &str = "conf/database/postgresql.conf";
const COMPOSE: &str = "docker/docker-compose.yaml";

/// A database in order, and a document that needs a restart.
fn with_a_restart_ahead() -> Bed {
    let bed = Bed::in_order();
    bed.document(&format!("settings:\n  max_connections: 30\n{IF_NEEDED}"));
    bed
}

/// Runs an apply that must leave the database and the files alone, before it asks anybody.
#[track_caller]
fn refused(bed: &Bed, arguments: &str, says: &[&str]) -> Run {
    let before = (bed.identity(), bed.read(CONF), bed.read(COMPOSE));
    let run = bed.run(arguments).expect(4).says(says).says(&["KDB722"]);
    assert!(!run.stderr.contains("stop: "), "{}", run.stderr);
    assert_eq!((bed.identity(), bed.read(CONF), bed.read(COMPOSE)), before, "{}", run.stderr);
    assert_eq!(bed.sql("SHOW max_connections"), "20");
    run
}

/// Does what a message says in backquotes and begins with these words.
fn fix(bed: &Bed, run: &Run, starts: &str) {
    let both = format!("{}\n{}", run.stdout, run.stderr);
    let quoted: Vec<_> = both.split('`').skip(1).step_by(2).collect();
    let command = quoted.iter().find(|text| text.starts_with(starts)).unwrap_or_else(|| panic!("{both}"));
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("PATH", bed.path());
    if let Some(engine) = engine() {
        shell.env("DOCKER_HOST", engine);
    }
    assert!(shell.status().unwrap().success(), "{command}");
}

/// Runs the apply that was refused before.
#[track_caller]
fn applied(bed: &Bed) {
    bed.run("apply --yes").expect(0);
    assert_eq!(bed.sql("SHOW max_connections"), "30");
}

/// A folder that a file system was mounted on.
struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path, options: &str) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path).status().unwrap();
        assert!(mounted.success());
        Self(path.to_path_buf())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Not asserted: a container of a test that failed may still use it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn an_image_that_cannot_be_had_stops_nothing() {
    if has_no_engine("an image that is missing") {
        return;
    }
    let bed = with_a_restart_ahead();
    let gone = format!("127.0.0.1:1/kasm/postgres:{}", bed.name);
    let path = bed.root.join("kasm-db.yaml");
    let text =
        std::fs::read_to_string(&path).unwrap().replace(&format!("image: {WITH}"), &format!("image: {gone}"));
    std::fs::write(&path, text).unwrap();
    let cannot =
        format!("the image {gone} of the service `db` cannot be pulled, and the engine does not have it");
    refused(&bed, "apply --yes", &[&cannot, "connection refused", "docker login", "nothing changed"]);
    assert!(!bed.tree().join(".kasm-db").exists(), "something was written");
    let forbidden =
        format!("the engine does not have the image {gone} of the service `db`, and `--no-pull` forbids");
    refused(&bed, "apply --yes --no-pull", &[&forbidden, "docker-compose.yaml:5"]);
    bed.run("apply --yes --dry-run")
        .expect(0)
        .says(&["Pulled before anything is written or stopped: 127.0.0.1:1/"]);
    docker(&["tag", WITH, &gone]);
    applied(&bed);
    bed.run("verify --no-probe").expect(0);

    // The image of what runs is removed from the engine; its files are as they should be.
    docker(&["rmi", "--no-prune", &gone]);
    let text = std::fs::read_to_string(&path).unwrap().replace("max_connections: 30", "max_connections: 31");
    std::fs::write(&path, text).unwrap();
    let before = bed.identity();
    bed.run("apply --yes").expect(4).says(&[&cannot]);
    assert_eq!(bed.identity(), before);

    // The files are written and the stop is ahead: nothing stops either.
    bed.run("apply --yes --no-restart").expect(9);
    for command in ["recover", "recover --no-pull", "apply --yes"] {
        bed.run(command).expect(9).says(&[&gone, "KDB722", "which continue here"]);
        assert_eq!((bed.identity(), step(&bed).as_str()), (before.clone(), "stop"));
    }
    docker(&["tag", WITH, &gone]);
    bed.run("recover").expect(0);
    assert_eq!(bed.sql("SHOW max_connections"), "31");
    docker(&["rmi", "--force", &gone]);
}

#[test]
fn what_compose_is_told_about_pulling_is_respected() {
    if has_no_engine("an image that is missing") {
        return;
    }
    let bed = with_a_restart_ahead();
    let gone = "127.0.0.1:1/kasm/api:1";
    let service = |more: &str| {
        bed.edit(COMPOSE, |text| {
            let text = match text.split_once("  api:") {
                Some((before, rest)) => format!("{before}{}", &rest[rest.find("volumes:\n  ").unwrap()..]),
                None => text,
            };
            text.replacen("\nvolumes:\n", &format!("\n  api: {{{more}}}\nvolumes:\n"), 1)
        });
    };
    // Compose starts nothing if an image of another service cannot be had.
    service(&format!("image: '{gone}'"));
    refused(&bed, "apply --yes", &[&format!("the image {gone} of the service `api` cannot be pulled")]);
    service(&format!("image: '{gone}', pull_policy: never"));
    refused(&bed, "apply --yes", &["of the service `api`, and `pull_policy: never` forbids to pull it"]);
    service(&format!("image: '{gone}', build: ."));
    refused(
        &bed,
        "apply --yes",
        &["Compose would build it while the database is down", "docker compose build api"],
    );
    service(&format!("image: '{WITH}', pull_policy: always"));
    refused(&bed, "apply --yes --no-pull", &["of the service `api` at the start, and `--no-pull` forbids"]);
    service(&format!("image: '{gone}', profiles: [off]"));
    applied(&bed);
}

#[test]
fn an_image_that_is_not_here_is_pulled_before_anything_stops() {
    if has_no_engine("an image that is pulled") {
        return;
    }
    let bed = with_a_restart_ahead();
    let registry = Registry::of(WITH, &bed.root.join("registry"));
    let path = bed.root.join("kasm-db.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&format!("image: {WITH}"), &format!("image: {}", registry.image)))
        .unwrap();
    let run = bed.run("apply --yes").expect(0);
    let at = |part: &str| run.stderr.find(part).unwrap_or_else(|| panic!("{part}: {}", run.stderr));
    assert!(at(&format!("pull: {}", registry.image)) < at("stop: "), "{}", run.stderr);
    bed.run("verify --no-probe").expect(0);
    bed.bin("stop");
    docker(&["rm", "--force", &bed.name]);
    docker(&["rmi", "--force", &registry.image]);
}

#[test]
fn networks_volumes_files_and_names_that_compose_does_not_make_must_be_there() {
    if has_no_engine("networks and volumes") {
        return;
    }
    let bed = with_a_restart_ahead();
    let other = format!("{}_other", bed.name);
    bed.edit(COMPOSE, |text| {
        text.replace("    networks:\n", &format!("    env_file: own.env\n    networks:\n      - {other}\n"))
            .replace("    volumes:\n", &format!("    volumes:\n      - {other}:/other\n"))
            .replacen(
                "\nvolumes:\n",
                &format!(
                    "\n  api: {{image: '{WITH}', command: sleep 60, container_name: {other}}}\nvolumes:\n"
                ),
                1,
            )
            .replace(
                "\nnetworks:\n",
                &format!(
                    "\n  {other}: {{external: true}}\nnetworks:\n  {other}: {{external: {{name: {other}}}}}\n"
                ),
            )
    });
    docker(&["create", "--name", &other, "--network", "none", WITH, "true"]);
    let says = [
        format!("there is no network `{other}`, which the service `db` needs"),
        format!("there is no volume `{other}`, which the service `db` needs"),
        format!("the name `{other}` of the service `api` is taken by a container which Compose did not make"),
        "docker/own.env does not exist, which the service `db` needs".to_string(),
    ];
    let says: Vec<_> = says.iter().map(String::as_str).collect();
    let run = refused(&bed, "apply --yes", &says);
    fix(&bed, &run, "docker network create");
    fix(&bed, &run, "docker volume create");
    fix(&bed, &run, "docker rename");
    refused(&bed, "apply --yes", &["docker/own.env does not exist"]);
    bed.write("docker/own.env", "A=1\n");
    applied(&bed);
    for container in [&other, &format!("{other}-other"), &bed.name] {
        docker(&["rm", "--force", container]);
    }
    docker(&["volume", "rm", &other]);
    docker(&["network", "rm", &other]);
}

#[test]
fn the_servers_user_must_be_able_to_read_its_files() {
    if has_no_engine("a server that starts as a user of the image") {
        return;
    }
    let bed = with_a_restart_ahead();
    let user = bed.user();
    for file in [CONF, "conf/database/pg_hba.conf"] {
        let path = bed.tree().join(file);
        chown(&path, Some(0), Some(0)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let cannot = format!(
            "the server's user ({user}) cannot read {}: it belongs to 0, with the mode 0600",
            path.display()
        );
        let run = refused(&bed, "apply --yes", &[&cannot]);
        fix(&bed, &run, "chown");
    }
    let conf = bed.tree().join(CONF);
    std::fs::set_permissions(&conf, PermissionsExt::from_mode(0o044)).unwrap();
    let run = refused(&bed, "apply --yes", &["with the mode 0044"]);
    fix(&bed, &run, "chmod u+r");
    applied(&bed);

    // The same for a folder above them, if that is mounted.
    bed.edit(COMPOSE, |text| {
        let lines = text.lines().filter(|line| !line.contains("pg_hba.conf:"));
        let folder = |line: &str| match line.contains("postgresql.conf:") {
            true => {
                format!("      - {}:/var/lib/postgresql/conf", bed.tree().join("conf/database").display())
            }
            false => line.to_string(),
        };
        lines.map(folder).collect::<Vec<_>>().join("\n") + "\n"
    });
    bed.bin("stop");
    bed.start();
    bed.document(&format!("settings:\n  max_connections: 31\n{IF_NEEDED}"));
    std::fs::set_permissions(bed.tree().join("conf/database"), PermissionsExt::from_mode(0o700)).unwrap();
    let before = bed.identity();
    let run = bed
        .run("apply --yes")
        .expect(4)
        .says(&[&format!("the server's user ({user}) cannot enter "), "chmod o+x"]);
    assert_eq!(bed.identity(), before);
    fix(&bed, &run, "chmod");
    bed.run("apply --yes").expect(0);
}

#[test]
fn a_disk_that_is_too_full_for_a_start_stops_nothing() {
    if has_no_engine("a data directory on a disk of its own") {
        return;
    }
    let bed = Bed::new(WITH);
    let data = bed.root.join("data");
    let mounted = Mounted::new(&data, "size=200m,mode=700");
    bed.edit(COMPOSE, |text| {
        text.replace(&format!("- {}:/var", bed.name), &format!("- {}:/var", data.display()))
    });
    bed.edit_conf(|conf| {
        conf.replace("#shared_preload_libraries = ''", "shared_preload_libraries = 'pgaudit'")
            + "pgaudit.log = 'read, write, ddl'\n"
    });
    bed.start();
    bed.sql("CREATE EXTENSION pgaudit");
    bed.document(&format!("settings:\n  max_connections: 30\n{IF_NEEDED}"));
    let filler = data.join("filler");
    let free = rustix::fs::statvfs(&data).unwrap();
    let length = free.f_bavail * free.f_frsize - (20 << 20);
    let filled = Command::new("fallocate").arg("-l").arg(length.to_string()).arg(&filler).status().unwrap();
    assert!(filled.success());
    let says = format!("MiB are free, and a start needs 32 MiB ({})", data.display());
    refused(&bed, "apply --yes", &["the file system of the data directory is full", &says]);
    std::fs::remove_file(filler).unwrap();
    applied(&bed);
    bed.bin("stop");
    docker(&["rm", "--force", &bed.name]);
    drop(mounted);
}

#[test]
fn a_database_that_cannot_be_started_is_not_stopped() {
    let bed = with_a_restart_ahead();
    bed.run("apply --yes --no-restart").expect(9);
    let before = bed.identity();
    let (start, away) = (bed.tree().join("bin/start"), bed.tree().join("bin/start.away"));
    std::fs::rename(&start, &away).unwrap();
    let cannot = "the command that starts the database cannot be run: ";
    bed.run("recover").expect(9).says(&[cannot, "bin/start does not exist", "which continue here"]);
    bed.script("bin/start", "#!/no/such/shell\n");
    bed.run("recover").expect(9).says(&[cannot, "names `/no/such/shell` in its first line"]);
    assert_eq!((bed.identity(), step(&bed).as_str()), (before, "stop"));
    std::fs::rename(away, start).unwrap();
    bed.run("recover").expect(0);
    assert_eq!(bed.sql("SHOW max_connections"), "30");
}

#[test]
fn what_could_not_be_found_out_is_said() {
    if has_no_engine("a user that the image alone knows") {
        return;
    }
    let bed = with_a_restart_ahead();
    bed.edit(COMPOSE, |text| {
        text.replace("    restart: always\n", "    restart: always\n    labels: ['a=${NOWHERE}']\n")
    });
    bed.edit(COMPOSE, |text| {
        text.replacen(
            "\nvolumes:\n",
            &format!("\n  api: {{image: '{WITH}', platform: '${{NOWHERE}}', command: sleep 60}}\nvolumes:\n"),
            1,
        )
    });
    let run = bed.run("apply --yes --dry-run").expect(0);
    run.says(&["KDB724", "what the variable `NOWHERE` is, which no file sets (docker/docker-compose.yaml:"]);
}
