//! libpq's variables and files over TCP, against a server process on loopback; where psql can be asked the same, it has to
//! agree.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::tcp::{Server, openssl};

/// Returns whether psql connects with these variables.
fn psql_connects(server: &Server, variables: &[(&str, &str)]) -> bool {
    let path = |name: &str| server.root.join(name).display().to_string();
    let mut command = Command::new("psql");
    command
        .args(["-w", "-X", "-d", "postgres", "-U", "kasmapp", "-c", "SELECT 1"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &server.root)
        .env("PGHOST", "localhost")
        .env("PGPORT", server.port.to_string())
        .env("PGPASSFILE", path("pass"))
        .env("PGSSLROOTCERT", path("ca"))
        .env("PGSSLMODE", "verify-full")
        .envs(variables.iter().copied());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// Runs `verify` without a probe: it ends well, or says these words.
#[track_caller]
fn ends(server: &Server, variables: &[(&str, &str)], said: Option<&str>) {
    match said {
        None => server.run(&["--no-probe"], variables).expect(0),
        Some(words) => server.run(&["--no-probe"], variables).expect(9).says(&[words, "KDB701"]),
    };
}

/// Creates the list of the certificates that the authority has revoked so far.
fn list(root: &Path, name: &str, more: &str) {
    openssl(root, &format!("ca -batch -config ca.conf -gencrl -crldays 5 {more} -out {name}"));
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Adds lines to files of the server, which reads them again.
fn configure(server: &Server, conf: &str, hba: Option<&str>) {
    std::fs::write(server.root.join("data/postgresql.auto.conf"), conf).unwrap();
    if let Some(hba) = hba {
        std::fs::write(server.root.join("data/pg_hba.conf"), hba).unwrap();
    }
    server.signal("HUP");
    sleep(Duration::from_millis(500));
}

#[test]
fn a_revoked_certificate_is_refused_wherever_the_list_is() {
    let server = Server::start();
    let root = server.root.clone();
    let path = |name: &str| root.join(name).display().to_string();
    let lists = root.join("lists");
    std::fs::create_dir(&lists).unwrap();
    // Older than the list that revokes: of two lists of one second OpenSSL takes the first.
    list(&root, "nobody", "-crl_lastupdate 20240101000000Z -crl_nextupdate 20490101000000Z");
    list(&root, "old", "-crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z");
    let hash =
        Command::new("openssl").args(["crl", "-hash", "-noout", "-in", &path("nobody")]).output().unwrap();
    let hash = String::from_utf8(hash.stdout).unwrap().trim().to_string();
    let rehashed = |number: u8, name: &str| {
        std::fs::copy(root.join(name), lists.join(format!("{hash}.r{number}"))).unwrap();
    };
    let agree = |variables: &[(&str, &str)], said: Option<&str>| {
        ends(&server, variables, said);
        assert_eq!(psql_connects(&server, variables), said.is_none(), "{variables:?}");
    };
    // A list in which it is not.
    agree(&[("PGSSLCRL", &path("nobody"))], None);
    rehashed(0, "nobody");
    agree(&[("PGSSLCRLDIR", &path("lists"))], None);
    // One that has expired says nothing, and neither does another authority's.
    agree(&[("PGSSLCRL", &path("old"))], Some("install the authority's new revocation list"));
    let conf = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=crlnumber\ncertificate=other\nprivate_key=other.key\n\
        default_md=sha256\n";
    std::fs::write(root.join("other.conf"), conf).unwrap();
    openssl(&root, "ca -batch -config other.conf -gencrl -crldays 5 -out others");
    agree(&[("PGSSLCRL", &path("others"))], Some("UnknownRevocationStatus"));

    openssl(&root, "ca -batch -config ca.conf -revoke good");
    list(&root, "revoked", "");
    agree(&[("PGSSLCRL", &path("revoked"))], Some("its authority has revoked this one"));
    ends(&server, &[("PGSSLCRL", &path("revoked")), ("PGSSLMODE", "verify-ca")], Some("Revoked"));
    // Of several lists of one authority each counts, whichever comes first.
    rehashed(1, "revoked");
    agree(&[("PGSSLCRLDIR", &path("lists"))], Some("Revoked"));
    rehashed(0, "revoked");
    rehashed(1, "nobody");
    ends(&server, &[("PGSSLCRLDIR", &path("lists"))], Some("Revoked"));
    // The file that libpq looks for by itself, beside the authorities that it looks for by itself.
    std::fs::create_dir(root.join(".postgresql")).unwrap();
    std::fs::copy(root.join("ca"), root.join(".postgresql/root.crt")).unwrap();
    agree(&[("PGSSLROOTCERT", "")], None);
    std::fs::copy(root.join("revoked"), root.join(".postgresql/root.crl")).unwrap();
    agree(&[("PGSSLROOTCERT", "")], Some("Revoked"));
    agree(&[("PGSSLROOTCERT", ""), ("PGSSLMODE", "require")], Some("Revoked"));
    // A list that was meant and is not followed would be worse than none.
    openssl(&root, "x509 -in ca -out not-a-list");
    assert!(Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    std::fs::create_dir(root.join("empty")).unwrap();
    for (name, value, said) in [
        ("PGSSLCRL", "nowhere", "no such file or directory"),
        ("PGSSLCRL", "not-a-list", "holds no revocation list"),
        ("PGSSLCRL", "pipe", "not a regular file"),
        ("PGSSLCRLDIR", "empty", "holds no revocation list"),
    ] {
        ends(&server, &[(name, &path(value))], Some(said));
    }
    // Of version 1, as `openssl ca` writes it without numbers.
    let conf = std::fs::read_to_string(root.join("ca.conf")).unwrap().replace("crlnumber=crlnumber\n", "");
    std::fs::write(root.join("ca.conf"), conf).unwrap();
    list(&root, "first-version", "");
    ends(&server, &[("PGSSLCRL", &path("first-version"))], Some("version 1"));
}

#[test]
fn versions_of_tls_and_certificates_of_our_own_are_as_libpqs_variables_say() {
    let server = Server::start();
    let root = server.root.clone();
    let path = |name: &str| root.join(name).display().to_string();
    openssl(&root, "req -newkey rsa:2048 -nodes -subj /CN=kasmapp -keyout own.key -out own.request");
    openssl(
        &root,
        "x509 -req -in own.request -CA ca -CAkey ca.key -CAcreateserial -extfile ext -days 10 -out own",
    );
    let (certificate, key) = (path("own"), path("own.key"));
    let own = [("PGSSLCERT", certificate.as_str()), ("PGSSLKEY", key.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&own[..], more].concat();
    // The server does not ask for it.
    ends(&server, &own, None);
    ends(&server, &with(&[("PGSSLCERTMODE", "require")]), Some("did not request a certificate"));
    for (variables, said) in [
        (&[("PGSSLCERTMODE", "require")][..], "no certificate to send"),
        (&[("PGSSLCERTMODE", "always")], "PGSSLCERTMODE is `always`"),
        (&[("PGSSLCERTMODE", "require"), ("PGSSLMODE", "disable")], "without TLS no certificate is sent"),
        (&[("PGSSLROOTCERT", "system"), ("PGSSLMODE", "verify-ca")], "would prove nothing"),
    ] {
        ends(&server, variables, Some(said));
    }
    let hba =
        "hostssl all all all scram-sha-256 clientcert=verify-full\nhostnossl all all all scram-sha-256\n";
    let conf = format!("ssl_ca_file = '{}'\n", path("ca"));
    configure(&server, &format!("{conf}ssl_max_protocol_version = 'TLSv1.2'\n"), Some(hba));
    ends(&server, &with(&[("PGSSLCERTMODE", "require")]), None);
    ends(&server, &with(&[("PGSSLCERTMODE", "disable")]), Some("client certificate"));
    for (least, said) in [("TLSv1.2", None), ("TLSv1.3", Some("TLS"))] {
        let variables = with(&[("PGSSLMINPROTOCOLVERSION", least)]);
        ends(&server, &variables, said);
        assert_eq!(psql_connects(&server, &variables), said.is_none(), "{least}");
    }
    configure(&server, &format!("{conf}ssl_min_protocol_version = 'TLSv1.3'\n"), None);
    for (most, said) in [("TLSv1.3", None), ("TLSv1.2", Some("TLS"))] {
        let variables = with(&[("PGSSLMAXPROTOCOLVERSION", most)]);
        ends(&server, &variables, said);
        assert_eq!(psql_connects(&server, &variables), said.is_none(), "{most}");
    }
    mode(&root.join("own.key"), 0o644);
    ends(&server, &own, Some("others can use this key"));
    assert!(!psql_connects(&server, &own));
    mode(&root.join("own.key"), 0o640);
    let said = (!rustix::process::geteuid().is_root()).then_some("others can use this key");
    ends(&server, &own, said);
    assert_eq!(psql_connects(&server, &own), said.is_none());
    std::fs::remove_file(root.join("own.key")).unwrap();
    ends(&server, &own, Some("no such file or directory"));
}

#[test]
fn a_password_is_sent_only_by_a_method_that_is_allowed() {
    let server = Server::start();
    let requires = |methods: &'static str| [("PGREQUIREAUTH", methods)];
    ends(&server, &requires("scram-sha-256"), None);
    ends(&server, &requires("!password,!none"), None);
    ends(&server, &requires("md5,password"), Some("the authentication method `scram-sha-256`"));
    ends(&server, &requires("scram"), Some("PGREQUIREAUTH is `scram`"));
    configure(&server, "", Some("host all all all trust\n"));
    ends(&server, &requires("scram-sha-256"), Some("lets the user in without authentication"));
    ends(&server, &requires("none"), None);
    configure(&server, "", Some("host all all all password\n"));
    ends(&server, &[], None);
    ends(&server, &[("PGSSLMODE", "disable")], Some("the password in the clear"));
    ends(&server, &requires("scram-sha-256"), Some("the authentication method `password`"));
    // A pipe would be waited for.
    let pipe = server.root.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    mode(&pipe, 0o600);
    ends(&server, &[("PGPASSFILE", &pipe.display().to_string())], Some("not a regular file"));
}
