//! A repository that somebody else may have changed: its documents and links lead nowhere, and no file of the machine is shown.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says how much it looked at")]

mod links;
mod nothing;
mod tops;
mod variables;

use testing::Sandbox;

/// Part of every line of every secret, and of nothing else.
const CANARY: &str = "Zq7";

/// Files that a machine which runs pipelines may hold, each with a canary in every line that has something to hide.
const SECRETS: [(&str, &str); 12] = [
    (
        "id_ed25519",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktZq7djEAAAAABG5vbmUAAAAEbm9uZQ\nAAAAMwAAAAtZq7zc2gtZWQyNTUxOQ==\n-----END OPENSSH PRIVATE KEY-----\n",
    ),
    (".netrc", "machine Zq7host.example\nlogin Zq7login\npassword Zq7password\n"),
    (".pgpass", "db.example:5432:*:Zq7user:Zq7pgpass\n*:*:*:postgres:Zq7other\n"),
    ("environ", "CI_JOB_TOKEN=Zq7token\0AWS_SECRET_ACCESS_KEY=Zq7aws\0Zq7NAME=1\0"),
    (".git-credentials", "https://Zq7user:Zq7credentials@git.example\n"),
    ("credentials", "[Zq7profile]\naws_access_key_id = Zq7id\naws_secret_access_key = Zq7key\n"),
    (
        "kubeconfig",
        "apiVersion: v1\nkind: Config\nusers:\n- name: Zq7name\n  user: {token: Zq7kube}\nZq7key: [1\n",
    ),
    (
        "config.json",
        "{\"auths\": {\"Zq7registry.example\": {\"auth\": \"Zq7docker\"}}, \"image\": \"Zq7image\"}\n",
    ),
    ("shadow", "root:$y$j9T$Zq7salt$Zq7hash:19700:0:99999:7:::\nZq7user:!:19700::::::\n"),
    (".npmrc", "//registry.example/:_authToken=Zq7npm\nZq7scope:registry=https://Zq7host.example\n"),
    ("token", "hvs.Zq7CAESIJvaulttoken"),
    (
        ".env",
        "POSTGRES_PASSWORD=Zq7postgres\nimage: Zq7image:latest\nsettings: {port: Zq7port, Zq7unknown: 1}\n",
    ),
];

/// Creates a repository with a deployment, and the secrets of a machine beside it.
fn repository(program: &'static str) -> Sandbox {
    let sandbox = Sandbox::new(program);
    let home = sandbox.root().join("home");
    std::fs::create_dir(&home).unwrap();
    for (name, text) in SECRETS {
        std::fs::write(home.join(name), text).unwrap();
    }
    let repository = sandbox.root().join("repo");
    std::fs::create_dir_all(repository.join(".git")).unwrap();
    sandbox
}

/// Returns the canaries in what was said.
fn leaks(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text).to_lowercase();
    let canary = CANARY.to_lowercase();
    text.lines().filter(|line| line.contains(&canary)).map(String::from).collect()
}
