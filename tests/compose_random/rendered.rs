//! Files with their values hidden: Compose takes each if it takes the original, and nothing of what was planted is in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use kasm_db_render::{FileKind, redacted};
use testing::Random;
use testing::compose::Compose;

use crate::{agree, each, seeds};

/// How many files are made if nobody says otherwise.
const FILES: u64 = 60;

/// Part of every value that must not be shown. Each looks like a secret, or is in an environment.
const CANARY: &str = "Zq7";

/// Values that every service has, in places that may hold a secret.
const HIDDEN: &str = concat!(
    "    environment:\n      POSTGRES_PASSWORD: Zq7-planted\n      OTHER: 5\n",
    "    command: [run, --password, Zq7Command]\n",
    "    labels: [com.example.token=Zq7Label, other=Zq7Other]\n",
);

/// Keys of a service, each with values that Compose takes. Those with a canary are hidden although they are of a type.
const KEYS: &[(&str, &[&str])] = &[
    ("container_name", &["one", "${NAME:-one}", "x-Zq7-planted"]),
    ("hostname", &["db", "kX9vT2bZq7zPw"]),
    ("domainname", &["example.com", "Zq7-planted.com"]),
    ("restart", &["always", "'no'", "on-failure:3", "Zq7-planted"]),
    ("init", &["true", "'true'"]),
    ("privileged", &["false"]),
    ("read_only", &["true"]),
    ("shm_size", &["64m", "'1gb'", "1024"]),
    ("mem_limit", &["512m"]),
    ("cpus", &["0.5", "'1.5'"]),
    ("cpu_shares", &["73"]),
    ("pids_limit", &["100"]),
    ("oom_score_adj", &["-500"]),
    ("stop_grace_period", &["1m30s"]),
    ("stop_signal", &["SIGINT"]),
    ("user", &["'70:70'", "postgres", "\"Zq7-planted:70\""]),
    ("working_dir", &["/data", "/Zq7-planted"]),
    ("platform", &["linux/amd64"]),
    ("runtime", &["runc"]),
    ("profiles", &["[a, b]", "\n      - a"]),
    (
        "depends_on",
        &["[other]", "\n      other:\n        condition: service_started\n        required: true"],
    ),
    ("links", &["[other]", "['other:alias']"]),
    (
        "networks",
        &[
            "[front]",
            "\n      front:\n        aliases: [a, Zq7-planted-alias]\n        priority: 5",
            "\n      front:",
        ],
    ),
    (
        "ports",
        &[
            "['80', \"5432:5432\", 127.0.0.1:81:81/udp]",
            "[80, 90]",
            "\n      - target: 80\n        published: '8080'\n        protocol: tcp\n        mode: host",
            "[\"${PORT:-80}:80\", '3000-3005']",
        ],
    ),
    ("expose", &["['80', 90]"]),
    (
        "volumes",
        &[
            "[data:/data, ./a:/b:ro, /c]",
            "\n      - /opt/Zq7-planted:/x:ro\n      - /Zq7-planted/y:/y\n      - data:/z",
            "\n      - type: volume\n        source: data\n        target: /x\n        volume: {nocopy: true}",
            "\n      - type: bind\n        source: /Zq7-planted\n        target: /x\n        bind: {create_host_path: true}",
            "\n      - type: tmpfs\n        target: /x\n        tmpfs: {size: 1000, mode: 511}",
        ],
    ),
    (
        "healthcheck",
        &[
            "\n      test: [CMD-SHELL, \"pg_isready Zq7Test\"]\n      interval: 30s\n      timeout: 5s\n      retries: 3\n      start_period: 1m",
            "{test: Zq7Test, interval: 1h, retries: 2}",
            "{disable: true}",
            "{test: [NONE]}",
        ],
    ),
    (
        "env_file",
        &[
            "a.env",
            "[a.env, b.env]",
            "\n      - path: Zq7-planted.env\n        required: false",
            "\n      - path: a.env",
        ],
    ),
    ("label_file", &["a.env"]),
    ("extra_hosts", &["['a:10.0.0.1', 'b:host-gateway', 'Zq7-planted:10.0.0.2']", "{a: 10.0.0.1}"]),
    ("dns", &["8.8.8.8", "[8.8.8.8, 1.1.1.1]"]),
    ("dns_search", &["[a.com, Zq7-planted.com, Zq7-planted.org]"]),
    ("tmpfs", &["[/a, /b]", "/run"]),
    ("cap_add", &["[NET_ADMIN, ALL]"]),
    ("cap_drop", &["\n      - ALL"]),
    ("security_opt", &["['no-new-privileges:true', 'label:disable']"]),
    ("sysctls", &["{net.core.somaxconn: 1024}", "[net.core.somaxconn=1024, net.ipv4.tcp_syncookies=0]"]),
    ("ulimits", &["{nproc: 65535, nofile: {soft: 20000, hard: 40000}}"]),
    ("devices", &["['/dev/a:/dev/b:rwm', /dev/c]"]),
    ("group_add", &["[mail, '5']"]),
    ("logging", &["{driver: json-file, options: {max-size: 10m, max-file: '3', tag: Zq7Tag}}"]),
    (
        "secrets",
        &[
            "[token]",
            "\n      - source: token\n        target: Zq7-planted\n        uid: '103'\n        mode: 0440",
        ],
    ),
    ("configs", &["[token]"]),
    ("network_mode", &["host", "'service:other'"]),
    ("pull_policy", &["always", "missing"]),
    ("pid", &["host"]),
    ("ipc", &["host"]),
    ("userns_mode", &["host"]),
    ("scale", &["2"]),
    ("tty", &["true"]),
    ("stdin_open", &["false"]),
    ("annotations", &["[a=Zq7Note, b=Zq7Note2]"]),
    ("x-any", &["{restart: Zq7Any}"]),
    (
        "build",
        &[
            ".",
            "\n      context: .\n      args: [A=Zq7Arg, B=Zq7Arg2]\n      target: final\n      no_cache: true\n      shm_size: 128m\n      \
             platforms: [linux/amd64]",
        ],
    ),
    (
        "deploy",
        &[
            "\n      mode: replicated\n      replicas: 2\n      resources:\n        limits: {cpus: '0.5', memory: 64M, pids: 5}\n        \
             reservations: {devices: [{capabilities: [gpu], count: 1}]}\n      \
             restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}\n      \
             update_config: {parallelism: 2, delay: 10s, order: stop-first}\n      labels: {a: Zq7Deploy}",
        ],
    ),
];

/// What other keys need, or do not go with.
const REST: &str = "\
networks:
  front:
    driver: bridge
    internal: true
    ipam: {config: [{subnet: 172.28.0.0/16, gateway: 172.28.5.254}]}
    labels: [a=Zq7Net, b=Zq7Net2]
volumes:
  data:
    driver: local
    driver_opts: {o: Zq7Options}
  gone: {external: true, name: Zq7-planted}
  nothing:
secrets:
  token: {environment: Zq7Environment}
configs:
  token: {content: Zq7Content}
";

fn file(seed: u64) -> String {
    let mut random = Random(seed);
    let mut text = String::from("version: '3'\nx-common: &common\n  logging: &logging {driver: none}\n");
    let mut keys: Vec<_> = KEYS.iter().filter(|_| random.chance(30)).collect();
    // Compose refuses a service with both.
    if keys.iter().any(|(key, _)| *key == "network_mode") {
        keys.retain(|(key, _)| !matches!(*key, "networks" | "links" | "ports"));
    }
    let names: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
    if names.contains(&"deploy") {
        keys.retain(|(key, _)| {
            !matches!(*key, "scale" | "mem_limit" | "cpus" | "pids_limit" | "container_name")
        });
    }
    if names.contains(&"scale") {
        keys.retain(|(key, _)| *key != "container_name");
    }
    let (shared, own): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|(key, _)| *key != "logging" && random.chance(25));
    for (key, values) in shared {
        let value = random.pick(values).replace("\n    ", "\n  ");
        let blank = if value.starts_with('\n') { "" } else { " " };
        let _ = writeln!(text, "  {key}:{blank}{value}");
    }
    text.push_str("services:\n  db:\n    <<: *common\n    image: postgres:15\n");
    text.push_str(HIDDEN);
    for (key, values) in own {
        let value = random.pick(values);
        let blank = if value.starts_with('\n') { "" } else { " " };
        let anchor = if random.chance(10) && !value.starts_with('\n') { " &any" } else { "" };
        let comment = if random.chance(10) && !value.contains('\n') { " # Zq7Comment" } else { "" };
        let _ = writeln!(text, "    {key}:{anchor}{blank}{value}{comment}");
    }
    text.push_str("  other:\n    image: redis:7\n    logging: *logging\n");
    text.push_str(REST);
    match random.below(3) {
        0 => text.replace('\n', "\r\n"),
        _ => text,
    }
}

/// Values that variables get: none, or one that is a path and a number.
const VARIABLES: [Option<&str>; 3] = [None, Some("1"), Some("/1")];

/// Judges a file; tells whether Compose takes it at all.
fn judge(compose: &Compose, bytes: &[u8]) -> Result<bool, String> {
    for variables in VARIABLES {
        if judge_with(compose, bytes, variables)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn judge_with(compose: &Compose, bytes: &[u8], variables: Option<&str>) -> Result<bool, String> {
    let (mut others, mut included) = (Vec::new(), Vec::new());
    while let Err(why) = compose.takes(bytes, &others, variables) {
        // What it names has to be there for the original.
        let between = |one: &str, other: &str| {
            let (_, path) = why.split_once(one)?;
            path.split_once(other).map(|(path, _)| path.to_string())
        };
        let env = between("env file /", " not found").or(between("label file /", " not found"));
        let other = between("open /", ": no such file");
        match env.clone().or(other.clone()) {
            Some(path) if others.len() < 20 && !path.contains("..") => others.push(path),
            _ if variables.is_some() && std::env::var_os("KASM_DB_REFUSED").is_some() => {
                return Err(format!("{why}\n{}", String::from_utf8_lossy(bytes)));
            }
            _ => return Ok(false),
        }
        // What a file includes is rendered beside it.
        included.extend(other.filter(|_| env.is_none()));
    }
    let desired = testing::desired("schema: kasm-db/v1\n");
    let shown = redacted(FileKind::Compose, bytes, &desired);
    let text = String::from_utf8_lossy(&shown).into_owned();
    compose
        .takes(&shown, &included, variables)
        .map_err(|why| format!("Compose refuses what is shown: {why}\n{text}"))?;
    if redacted(FileKind::Compose, &shown, &desired) != shown {
        return Err(format!("hidden twice is otherwise\n{text}"));
    }
    Ok(true)
}

#[test]
fn compose_takes_a_generated_file_with_its_values_hidden() {
    let compose = Compose::find().unwrap();
    let seeds = seeds("KASM_DB_RENDERED", FILES);
    let taken = Mutex::new(0);
    let wrong = each(seeds.clone(), |seed| {
        let text = file(seed);
        if !judge(&compose, text.as_bytes())? {
            return Ok(());
        }
        *taken.lock().unwrap() += 1;
        let shown = redacted(FileKind::Compose, text.as_bytes(), &testing::desired("schema: kasm-db/v1\n"));
        let shown = String::from_utf8_lossy(&shown).into_owned();
        match shown.lines().find(|line| line.contains(CANARY)) {
            Some(line) => Err(format!("shows {line:?}\n{shown}")),
            None => Ok(()),
        }
    });
    let (count, taken) = (seeds.end - seeds.start, taken.into_inner().unwrap());
    println!("{taken} of {count} files are taken");
    agree(&wrong);
    assert!(taken * 10 >= count * 9, "Compose takes {taken} of {count} files");
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            yaml_files(&path, found);
        } else if name.starts_with("docker-compose") || name.ends_with(".yml") || name.ends_with(".yaml") {
            found.push(path);
        }
    }
}

#[test]
fn compose_takes_a_file_of_the_corpus_with_its_values_hidden() {
    let Some(root) = std::env::var_os("KASM_DB_CORPUS").map(PathBuf::from) else {
        eprintln!("KASM_DB_CORPUS is not set: the compose files of others are not looked at");
        return;
    };
    let compose = Compose::find().unwrap();
    let mut files = Vec::new();
    yaml_files(&root.join("compose"), &mut files);
    yaml_files(&root.join("kasm"), &mut files);
    files.sort();
    let taken = Mutex::new(0);
    let wrong = each(0..files.len() as u64, |index| {
        let path = &files[index as usize];
        let bytes = std::fs::read(path).unwrap();
        if judge(&compose, &bytes).map_err(|why| format!("{}: {why}", path.display()))? {
            *taken.lock().unwrap() += 1;
        }
        Ok(())
    });
    let taken = taken.into_inner().unwrap();
    println!("{taken} of {} files are taken", files.len());
    agree(&wrong);
    assert!(taken * 2 >= files.len(), "Compose takes {taken} of {} files", files.len());
}
