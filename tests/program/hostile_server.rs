//! Servers, and a `docker`, that send without end: the program says so soon, in 256 MiB of address space.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use testing::{Run, Sandbox};

use crate::PROGRAM;

/// More than any of these needs, and less than what a limit of time would allow to send.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs `verify` with bounded memory.
fn verify(connect: &str, variables: &[(&str, &str)]) -> Run {
    let sandbox = Sandbox::new(PROGRAM);
    let document = format!(
        "schema: kasm-db/v1\npostgres_major: 15\nsettings: {{work_mem: 8MB}}\nverify: {{connect: {connect}}}\n\
         targets: [{{name: here, files: {{postgresql_conf: postgresql.conf}}}}]\n"
    );
    std::fs::write(sandbox.root().join("kasm-db.yaml"), document).unwrap();
    std::fs::write(sandbox.root().join("postgresql.conf"), "work_mem = 8MB\n").unwrap();
    let script = format!("ulimit -v 262144 && exec {PROGRAM} verify --no-probe");
    let mut command = sandbox.command("sh");
    // Address space that threads only reserve is no memory.
    command.args(["-c", &script]).env("MALLOC_ARENA_MAX", "1").envs(variables.iter().copied());
    let started = Instant::now();
    let run = sandbox.finish(&mut command);
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    run
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, content].concat()
}

/// Asks a server that says `first` after the client's first message, and `second`, if there is one, after its next message;
/// then the same again and again. Returns what the client sent after its first message, too.
fn ask(first: Vec<u8>, second: Option<Vec<u8>>, again: Vec<u8>) -> (Run, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        read(&mut stream);
        let mut heard = Vec::new();
        // It fails as soon as the client has enough.
        let mut is_heard = stream.write_all(&first).is_ok();
        if let Some(second) = second {
            heard = read(&mut stream);
            is_heard &= stream.write_all(&second).is_ok();
        }
        let many = again.repeat(1 + 65_536 / again.len().max(1));
        while is_heard && !again.is_empty() && stream.write_all(&many).is_ok() {}
        heard.extend(read(&mut stream));
        heard
    });
    let variables = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &port),
        ("PGSSLMODE", "disable"),
        ("PGPASSWORD", "secret-canary"),
    ];
    let run = verify("tcp", &variables).expect(9);
    (run, server.join().unwrap())
}

/// Reads what comes at once; nothing at the end.
fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = [0; 65_536];
    let length = stream.read(&mut buffer).unwrap_or(0);
    buffer[..length].to_vec()
}

/// What a server says up to where it waits for statements.
fn ready() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()
}

#[test]
fn a_server_that_sends_without_end_is_left() {
    let notice = message(b'N', &[b"SNOTICE\0C00000\0M", &[b'x'; 900][..], b"\0\0"].concat());
    let column = [&b"r\0"[..], &[0; 18]].concat();
    let head = || Some(message(b'T', &[&[0, 1][..], &column].concat()));
    let small = message(b'D', &[0, 1, 0, 0, 0, 0]);
    let large = message(b'D', &[&[0, 1, 0, 0, 0x40, 0][..], &[b'x'; 0x4000]].concat());
    let wide = message(b'D', &[&[0xff, 0xff][..], &[0xff; 4 * 0xffff]].concat());
    let announced = [&b"D"[..], &u32::MAX.to_be_bytes()].concat();
    let welcome = || message(b'R', &[0; 4]);
    let many = "more than 10000 messages that are not rows";
    for (first, second, again, said) in [
        (welcome(), None, notice.clone(), "more than 1 MiB of notices"),
        (ready(), Some(Vec::new()), notice, "more than 1 MiB of notices"),
        (welcome(), None, message(b'S', b"a\0b\0"), many),
        (ready(), Some(Vec::new()), message(b'C', b"SELECT 1\0"), many),
        (ready(), head(), small, "more than 120000 rows"),
        (ready(), head(), large, "more than 24 MiB"),
        (ready(), head(), wide, "a row of 65535 columns"),
        (ready(), head(), announced, "a message of 4294967291 bytes"),
        (message(b'E', &[b'x'; 1 << 21]), None, Vec::new(), "a message of 2097152 bytes"),
    ] {
        let (run, _) = ask(first, second, again);
        let (out, error) = (&run.stdout, &run.stderr);
        assert!(out.contains(said) && out.contains("KDB701"), "{said:?} is not in\n{out}{error}");
    }
}

#[test]
fn a_password_is_not_sent_to_whoever_asks_for_it_in_the_clear_or_for_endless_rounds() {
    let (run, heard) = ask(message(b'R', &[0, 0, 0, 3]), None, Vec::new());
    assert!(run.stdout.contains("the password in the clear"), "{}", run.stdout);
    assert_eq!(heard, b"");
    let sasl = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    let rounds = message(b'R', b"\0\0\0\x0br=x,s=eA==,i=4294967295");
    let (run, heard) = ask(sasl, Some(rounds), Vec::new());
    assert!(run.stdout.contains("asks for 4294967295 rounds"), "{}", run.stdout);
    assert!(!heard.windows(6).any(|part| part == b"canary"));
}

#[test]
fn a_docker_that_writes_without_end_is_ended() {
    let bin = Sandbox::new(PROGRAM);
    let folder = bin.root().join("bin");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let container = "printf '%s\\n' id running now 0 0 '' postgres:15 sha256:1";
    for (inspect, exec, said) in [
        ("exec yes", "exit 1", "`docker container` wrote more than 24 MiB"),
        (container, "exec cat /dev/zero", "`docker exec` wrote more than 24 MiB"),
        (container, "exec cat /dev/zero >&2", "`docker exec` wrote more than 24 MiB"),
        (container, "exec tr '\\0' 'r' < /dev/zero", "`docker exec` wrote more than 24 MiB"),
        (container, "yes r | head -n 4000000 | tr '\\n' '\\0'", "gave more than 120000 rows"),
    ] {
        let script = format!(
            "#!/bin/sh\ncase \"$1\" in\ncontainer) {inspect} ;;\nexec) {exec} ;;\n*) exit 1 ;;\nesac\n"
        );
        let docker = folder.join("docker");
        std::fs::write(&docker, script).unwrap();
        std::fs::set_permissions(&docker, PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let run = verify("docker", &[("PATH", &path)]).expect(9);
        assert!(run.stdout.contains(said), "{said:?} is not in\n{}{}", run.stdout, run.stderr);
    }
}
