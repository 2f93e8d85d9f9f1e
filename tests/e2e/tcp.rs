//! `connect: tcp`: passwords and TLS, against a server process on loopback.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::bed::{Run, finish};

const BIN: &str = "/usr/lib/postgresql/15/bin";

pub(crate) const DOCUMENT: &str = "schema: kasm-db/v1\naudit: {classes: [read], extension: false}\n\
    preload: {libraries: [pgaudit]}\npostgres_major: 15\ntargets:\n  - name: here\n    \
    files: {postgresql_conf: data/postgresql.conf}\nverify: {connect: tcp, database: postgres}\n";

/// Certificates, and a server that has one of them.
pub(crate) struct Server {
    _temp: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) port: u16,
    child: Child,
}

fn user(what: &str) -> u32 {
    let output = Command::new("id").args([what, "postgres"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect("the user `postgres` is there")
}

pub(crate) fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Server {
    pub(crate) fn start() -> Self {
        let temp = tempfile::Builder::new().prefix("kasm-db-tcp-").tempdir().unwrap();
        let root = temp.path().to_path_buf();
        std::fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
        certificates(&root);
        let data = root.join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(root.join("password"), "right-canary\n").unwrap();
        for path in [&data, &root.join("password"), &root.join("key")] {
            chown(path, Some(user("-u")), Some(user("-g"))).unwrap();
        }
        let password = format!("--pwfile={}", root.join("password").display());
        let initdb = postgres("initdb")
            .args(["-N", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "-U", "kasmapp", &password, "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        // Bound and let go: free a moment ago, and nobody else here takes ports at random.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(&root, port);
        let server = Self { _temp: temp, root, port, child };
        server.wait();
        server
    }

    fn spawn(root: &Path, port: u16) -> Child {
        let path = |name: &str| root.join(name).display().to_string();
        let mut command = postgres("postgres");
        for option in [
            "listen_addresses=127.0.0.1".to_string(),
            format!("port={port}"),
            format!("unix_socket_directories={}", path("data")),
            "fsync=off".into(),
            "ssl=on".into(),
            format!("ssl_cert_file={}", path("certificate")),
            format!("ssl_key_file={}", path("key")),
            "shared_preload_libraries=pgaudit".into(),
            "pgaudit.log=read".into(),
            "logging_collector=on".into(),
        ] {
            command.args(["-c", &option]);
        }
        command.arg("-D").arg(root.join("data")).stderr(Stdio::null()).spawn().unwrap()
    }

    fn wait(&self) {
        let started = Instant::now();
        while !self.run(&["--sslmode", "require"], &[]).stdout.contains("ok    connect") {
            let run = self.run(&["--sslmode", "require"], &[]);
            assert!(started.elapsed() < Duration::from_secs(60), "{}{}", run.stdout, run.stderr);
            sleep(Duration::from_millis(100));
        }
    }

    /// Returns the server another certificate.
    fn serve(&self, name: &str) {
        std::fs::copy(self.root.join(name), self.root.join("certificate")).unwrap();
        self.signal("HUP");
        // The next handshake has the new one only when the postmaster has read it.
        sleep(Duration::from_millis(500));
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Runs `kasm-db verify` with the right password and authority, but for these variables.
    pub(crate) fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        std::fs::write(self.root.join("kasm-db.yaml"), DOCUMENT).unwrap();
        self.command(&[&["verify"], arguments].concat(), variables)
    }

    /// Runs `kasm-db` on the document that is there.
    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let path = self.root.join("kasm-db.yaml");
        let pass = self.root.join("pass");
        std::fs::write(&pass, format!("*:{}:*:kasmapp:right-canary\n", self.port)).unwrap();
        std::fs::set_permissions(&pass, PermissionsExt::from_mode(0o600)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kasm-db"));
        command
            .args(["-f", path.to_str().unwrap()])
            .args(arguments)
            .env_clear()
            .env("HOME", &self.root)
            .env("PGHOST", "localhost")
            .env("PGPORT", self.port.to_string())
            .env("PGPASSFILE", &pass)
            .env("PGSSLROOTCERT", self.root.join("ca"));
        for (name, value) in variables {
            command.env(name, value);
        }
        let run = finish(&mut command);
        assert!(
            !run.stdout.contains("canary") && !run.stderr.contains("canary"),
            "{}{}",
            run.stdout,
            run.stderr
        );
        run
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("QUIT");
        self.child.wait().unwrap();
    }
}

fn postgres(program: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(format!("{BIN}/{program}"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command.uid(user("-u")).gid(user("-g")).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Creates an authority, another one, and certificates: good, for another name, expired, and self-signed.
fn certificates(root: &Path) {
    for ca in ["ca", "other"] {
        openssl(
            root,
            &format!("req -x509 -newkey rsa:2048 -nodes -days 10 -subj /CN={ca} -keyout {ca}.key -out {ca}"),
        );
    }
    openssl(root, "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out request");
    std::fs::set_permissions(root.join("key"), PermissionsExt::from_mode(0o600)).unwrap();
    for (name, host) in [("good", "localhost"), ("elsewhere", "db.example")] {
        std::fs::write(root.join("ext"), format!("subjectAltName=DNS:{host}\n")).unwrap();
        let sign = "x509 -req -in request -CA ca -CAkey ca.key -CAcreateserial -extfile ext -days 10";
        openssl(root, &format!("{sign} -out {name}"));
    }
    expired(root);
    openssl(
        root,
        "req -x509 -key key -days 10 -subj /CN=localhost -addext subjectAltName=DNS:localhost -out selfsigned",
    );
    std::fs::copy(root.join("good"), root.join("certificate")).unwrap();
}

/// `openssl x509` of Debian 12 takes no dates; `openssl ca` does.
fn expired(root: &Path) {
    let conf = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nunique_subject=no\nserial=serial\ncrlnumber=crlnumber\nnew_certs_dir=.\ncertificate=ca\n\
        private_key=ca.key\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\n\
        subjectAltName=DNS:localhost\n";
    std::fs::write(root.join("ca.conf"), conf).unwrap();
    std::fs::write(root.join("index"), "").unwrap();
    std::fs::write(root.join("serial"), "77\n").unwrap();
    std::fs::write(root.join("crlnumber"), "01\n").unwrap();
    openssl(
        root,
        "ca -batch -notext -config ca.conf -startdate 20200101000000Z -enddate 20200102000000Z -in request -out expired",
    );
}

#[test]
fn over_tcp_the_server_has_to_prove_who_it_is_unless_told_otherwise() {
    let server = Server::start();
    let ca = server.root.join("ca").display().to_string();
    server.run(&[], &[]).expect(0).says(&[
        "ok    connect: PostgreSQL 15.",
        "via localhost port",
        "verify-full",
        "ok    library pgaudit: loaded",
        "ok    audit read",
    ]);
    // Another authority.
    let other = server.root.join("other").display().to_string();
    server.run(&[], &[("PGSSLROOTCERT", &other)]).expect(9).says(&[
        "UnknownIssuer",
        "PGSSLROOTCERT",
        "KDB701",
    ]);
    server.run(&["--sslmode", "verify-ca"], &[("PGSSLROOTCERT", &other)]).expect(9).says(&["UnknownIssuer"]);
    server.run(&["--sslmode", "require"], &[("PGSSLROOTCERT", &other)]).expect(0);
    // No authority at all.
    server
        .run(&[], &[("PGSSLROOTCERT", "/nowhere")])
        .expect(9)
        .says(&["no certificates to check the server with"]);
    // Another name.
    server.serve("elsewhere");
    server.run(&[], &[]).expect(9).says(&["not valid for name", "PGHOST"]);
    server.run(&["--sslmode", "verify-ca"], &[]).expect(0);
    // Expired.
    server.serve("expired");
    server.run(&[], &[]).expect(9).says(&["expired", "renew the server's certificate"]);
    server.run(&["--sslmode", "verify-ca"], &[]).expect(9).says(&["expired"]);
    // Self-signed, as Kasm makes it: trusted where it is in the file itself, and nowhere else.
    server.serve("selfsigned");
    let own = server.root.join("selfsigned").display().to_string();
    server.run(&[], &[("PGSSLROOTCERT", &own)]).expect(0);
    server
        .run(&[], &[("PGSSLROOTCERT", &own), ("PGHOST", "127.0.0.1")])
        .expect(9)
        .says(&["not valid for name"]);
    server.run(&[], &[("PGSSLROOTCERT", &ca)]).expect(9);
    // Neither what may fall back to no TLS.
    server.run(&[], &[("PGSSLMODE", "prefer")]).expect(9).says(&["lets anybody on the way switch off TLS"]);
}

#[test]
fn over_tcp_a_wrong_password_and_a_server_that_is_not_there_are_distinguished() {
    let server = Server::start();
    let wrong = server.root.join("wrong");
    std::fs::write(&wrong, "*:*:*:*:wrong-canary\n").unwrap();
    std::fs::set_permissions(&wrong, PermissionsExt::from_mode(0o600)).unwrap();
    let path = wrong.display().to_string();
    server
        .run(&[], &[("PGPASSFILE", &path)])
        .expect(9)
        .says(&["password authentication failed", "PGPASSFILE"]);
    std::fs::write(&wrong, "other:*:*:*:x-canary\n").unwrap();
    server.run(&[], &[("PGPASSFILE", &path)]).expect(9).says(&["password missing", "PGPASSFILE"]);
    std::fs::set_permissions(&wrong, PermissionsExt::from_mode(0o644)).unwrap();
    server
        .run(&[], &[("PGPASSFILE", &path)])
        .expect(9)
        .says(&["others can read this password file", "chmod 600"]);
    server.run(&[], &[("PGPASSWORD", "right-canary"), ("PGPASSFILE", "/nowhere")]).expect(0);
    server.run(&[], &[("PGPORT", "1")]).expect(9).says(&["localhost port 1: connection refused", "PGPORT"]);
    server.run(&[], &[("PGPORT", "x")]).expect(9).says(&["PGPORT is `x`"]);
    // What would lead elsewhere, or ask for more, is not passed over.
    for (name, value) in
        [("PGSERVICE", "other"), ("PGHOSTADDR", "192.0.2.1"), ("PGCHANNELBINDING", "require")]
    {
        let set = format!("{name} is set");
        server.run(&[], &[(name, value)]).expect(9).says(&[&set, &format!("unset {name}")]);
    }
    server.run(&[], &[("PGCHANNELBINDING", "prefer")]).expect(0);
    let old = format!("# k\u{f6}ln\r\n*:{}:*:kasmapp:right-canary\r\n", server.port);
    std::fs::write(&wrong, old.chars().map(|c| u8::try_from(c).unwrap()).collect::<Vec<_>>()).unwrap();
    std::fs::set_permissions(&wrong, PermissionsExt::from_mode(0o600)).unwrap();
    server.run(&[], &[("PGPASSFILE", &path)]).expect(0);
    let socket = server.root.join("data").display().to_string();
    chown(server.root.join("data"), Some(user("-u")), None).unwrap();
    server.run(&[], &[("PGHOST", &socket)]).expect(0).says(&["a Unix socket"]);
}

#[test]
fn a_server_without_tls_is_not_talked_to_unless_told_so() {
    let server = Server::start();
    let answers = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = answers.local_addr().unwrap().port().to_string();
    // A server that has no TLS answers the request for it with `N`.
    let thread = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = answers.accept().unwrap();
        let mut request = [0; 8];
        stream.read_exact(&mut request).unwrap();
        stream.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    server
        .run(&[], &[("PGPORT", &port)])
        .expect(9)
        .says(&["server does not support TLS", "--sslmode disable"]);
    assert_eq!(thread.join().unwrap(), b"", "something was sent in the clear");
}

#[test]
fn what_the_command_line_says_of_tls_holds_for_a_run_that_continues() {
    let server = Server::start();
    let path = server.root.join("kasm-db.yaml");
    let restart = "restart: {policy: if_needed, stop: [./stop], start: [./start], timeout: 3s}\n";
    let script = |name: &str, text: &str| {
        let path = server.root.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    };
    let other = server.root.join("other").display().to_string();
    let untrusted = [("PGSSLROOTCERT", other.as_str())];
    // The server itself stays up: what is looked at is the way to it.
    script("start", "exit 0");
    for (number, told, go_on) in [
        (30, "require", &["recover"][..]),
        (31, "require", &["apply", "--yes"]),
        // What is said now wins over what was said then.
        (32, "verify-full", &["apply", "--yes", "--sslmode", "require"]),
    ] {
        std::fs::write(&path, format!("{DOCUMENT}settings: {{max_connections: {number}}}\n{restart}"))
            .unwrap();
        script("stop", "kill -9 $PPID");
        let killed = server.command(&["apply", "--yes", "--sslmode", told], &untrusted);
        assert_eq!(killed.code, None, "{}{}", killed.stdout, killed.stderr);
        script("stop", "exit 0");
        if told == "verify-full" {
            server.command(&["recover"], &untrusted).expect(9).says(&["UnknownIssuer"]);
        }
        let run = server.command(go_on, &untrusted).says(&["the database answers"]);
        match go_on[0] {
            "recover" => run.expect(0),
            // The server was not restarted: only what waits for that fails.
            _ => run.expect(9).says(&["FAIL  setting max_connections"]),
        };
    }
}
