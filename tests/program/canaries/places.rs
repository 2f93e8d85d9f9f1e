//! Where the canaries are.
//!
//! None is in what is shown by design: images without a user, names of services, files and settings, and the
//! values of settings that the document manages and that hold no secrets by their meaning.

/// Changes the image, the preload list and settings whose values before are canaries.
pub(crate) const DOCUMENT: &str = "\
schema: kasm-db/v1
image: kasmweb/postgres:1.11.0
preload: {libraries: [pgaudit]}
audit: {classes: [ddl]}
settings:
  archive_command: 'cp %p /archive/%f'
  myext.token: none
  work_mem: 8MB
unset: [primary_conninfo, myext.password]
targets:
  - name: current
    deployment: opt/kasm/current
";

/// The files of the target.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("docker/docker-compose.yaml", COMPOSE),
    ("docker/docker-compose.override.yaml", OVERRIDE),
    ("docker/.env", ENV),
    ("docker/db.env", "DB_PASSWORD=Zq7EnvFile\n# Zq7EnvFileComment\n"),
    ("conf/database/postgresql.conf", CONF),
    ("conf/database/extra.conf", "myext.key = 'Zq7Included'\n# Zq7IncludedComment\n"),
    ("conf/database/postgresql.auto.conf", "restore_command = 'Zq7Auto'\nmyext.auto = 'Zq7AutoCustom'\n"),
];

const COMPOSE: &str = r#"# Zq7Head
version: '3'
x-common: &common
  logging: {driver: syslog, options: {syslog-address: "tcp://u:Zq7Anchor@log:514"}}
services:
  db:
    <<: *common
    container_name: kasm_db # Zq7BesideName
    image: postgres:12-alpine # Zq7BesideImage
    environment:
      POSTGRES_PASSWORD: Zq7EnvironmentMap
      KNOWN_TOKEN: Zq7known
      OTHER: "quoted Zq7EnvironmentQuoted"
      DATABASE_URL: postgres://kasm:Zq7Url@db:5432/kasm
      PEM: |
        -----BEGIN KEY-----
        Zq7BlockScalar
        -----END KEY-----
      FOLDED: >-
        a
        Zq7FoldedScalar
    env_file: [db.env]
    command: postgres -c config_file=/var/lib/postgresql/conf/postgresql.conf -c myext.secret=Zq7Command
    entrypoint: ["sh", "-c", "exec Zq7Entrypoint"]
    labels:
      - "com.example.token=Zq7LabelList"
    healthcheck:
      test: "PGPASSWORD=Zq7Healthcheck pg_isready"
    build:
      context: "https://token:Zq7BuildContext@example.com/db.git"
      args: {TOKEN: Zq7BuildArgument}
    volumes:
      - /opt/kasm/1.11.0/conf/database/postgresql.conf:/var/lib/postgresql/conf/postgresql.conf
    x-note: Zq7Extension
  other:
    image: user:Zq7OtherImage@registry.example.com/other:1
    environment:
      - OTHER_PASSWORD=Zq7EnvironmentList
    labels: {token: Zq7LabelMap}
    command: [run, --password, Zq7OtherCommand]
    #password: Zq7CommentedKey
    container_name: x-Zq7known
    hostname: Zq7Hostname1
    domainname: Zq7known.example.com
    user: "70:Zq7UserGroup1"
    restart: Zq7Policy
    platform: linux/Zq7Platform1
    working_dir: /run/Zq7WorkingDir1
    ports: ["Zq7Port:80", "127.0.0.1:Zq7PortRange:80"]
    expose: [Zq7Expose]
    networks: {back: {aliases: [Zq7NetworkAlias1]}}
    volumes:
      - /Zq7VolumePath1:/x
      - "https://u:Zq7VolumeUrl@h:/y"
      - {type: bind, source: "//u:Zq7Mount@h", target: /z}
    depends_on: [Zq7DependsOn1]
    extra_hosts: ["Zq7ExtraHost1:10.0.0.1", "a:Zq7HostAddress"]
    healthcheck: {test: [CMD, Zq7HealthCommand], interval: Zq7Interval, retries: Zq7Retries, disable: Zq7Disable}
    shm_size: Zq7Size
    mem_limit: ${MEMORY:-Zq7Default}
    cpus: ${CPUS:?Zq7Message}
    init: Zq7Init
    privileged: &Zq7UnusedAnchor true
    stop_grace_period: Zq7Grace
    stop_signal: SIGZq7
    profiles: [Zq7Profile123]
    cap_add: [Zq7CAP]
    dns: [Zq7Dns]
    logging: {driver: Zq7LogDriver1, options: {max-size: Zq7MaxSize, tag: Zq7LogTag}}
    ulimits: {nofile: Zq7Limit}
    sysctls: [a=Zq7Sysctl]
    deploy: {replicas: Zq7Replicas, labels: {a: Zq7DeployLabel}, resources: {limits: {memory: Zq7Memory}}}
    unheard_of: {restart: Zq7UnknownKey}
networks:
  default: {driver: Zq7NetDriver1, driver_opts: {o: Zq7NetOptions}, labels: [Zq7NetLabel], ipam: {config: [{subnet: Zq7Subnet}]}}
volumes:
  data: {name: Zq7VolumeName1, driver_opts: {o: "password=Zq7VolumeOptions"}, external: Zq7External}
secrets:
  db_password: {environment: Zq7SecretEnvironment}
  file: {file: ./Zq7SecretFile}
configs:
  inline: {content: "Zq7ConfigContent"}
# Zq7Tail
"#;

const OVERRIDE: &str = "\
services:
  db:
    environment:
      LATE: Zq7Override
";

const ENV: &str = "\
# Zq7EnvComment
POSTGRES_PASSWORD=Zq7EnvPlain
QUOTED=\"Zq7EnvQuoted\"
IMAGE_NOTE='Zq7EnvSingle'
";

const CONF: &str = "\
# Zq7ConfHead
include 'extra.conf'
shared_preload_libraries = ''	# Zq7ConfBeside
primary_conninfo = 'host=a password=Zq7Conninfo'
archive_command = 'curl -H \"X: Zq7ArchiveCommand\" %p'
ssl_passphrase_command = 'echo Zq7Passphrase'
myext.password = 'Zq7Custom'
myext.token = 'Zq7CustomManaged'
#myext.old = 'Zq7ConfCommented'
work_mem = 4MB # Zq7ConfBesideManaged
application_name = 'Zq7ApplicationName'
restore_command = 'Zq7Restore'
listen_addresses = 'Zq7ListenAddresses'
ssl_ciphers = 'Zq7SslCiphers1'
myext.known_secret = 'Zq7knownToo'
syslog_ident = 'x-Zq7knownToo'
#search_path = 'Zq7CommentedSearchPath'
# Zq7ConfTail
";

/// What goes wrong, in which file, and the text that becomes another.
pub(crate) const FAULTS: &[(&str, &str, &str, &str)] = &[
    ("a tab", COMPOSE_PATH, "      POSTGRES_PASSWORD", "\tPOSTGRES_PASSWORD"),
    ("an open quote", COMPOSE_PATH, "\"quoted Zq7", "\"Zq7"),
    ("a quote that is not closed", COMPOSE_PATH, "Quoted\"", "Quoted"),
    ("an unknown alias", COMPOSE_PATH, "POSTGRES_PASSWORD: Zq7", "POSTGRES_PASSWORD: *Zq7"),
    ("an unknown merge", COMPOSE_PATH, "<<: *common", "<<: Zq7Merged"),
    ("a tag", COMPOSE_PATH, "POSTGRES_PASSWORD: ", "POSTGRES_PASSWORD: !Zq7Tag "),
    ("an anchor", COMPOSE_PATH, "POSTGRES_PASSWORD: ", "POSTGRES_PASSWORD: &Zq7Mark "),
    ("an anchor alone", COMPOSE_PATH, "POSTGRES_PASSWORD: Zq7EnvironmentMap", "POSTGRES_PASSWORD: &Zq7Mark"),
    ("a tag alone", COMPOSE_PATH, "POSTGRES_PASSWORD: Zq7EnvironmentMap", "POSTGRES_PASSWORD: !Zq7Tag"),
    ("a key that is asked for", COMPOSE_PATH, "POSTGRES_PASSWORD: ", "? POSTGRES_PASSWORD\n      : "),
    ("a control character", COMPOSE_PATH, "Zq7EnvironmentMap", "Zq7\u{1}Map"),
    ("an escape in quotes", COMPOSE_PATH, "quoted ", "quoted \\e[2J"),
    ("a wrong escape", COMPOSE_PATH, "quoted ", "quoted \\q"),
    ("a bidirectional character", COMPOSE_PATH, "Zq7Head", "\u{202e}Zq7"),
    ("a key twice", COMPOSE_PATH, "      OTHER:", "      POSTGRES_PASSWORD: Zq7Twice\n      OTHER:"),
    (
        "an image twice",
        COMPOSE_PATH,
        "    environment:\n      POSTGRES",
        "    image: Zq7Image\n    environment:\n      POSTGRES",
    ),
    (
        "an image with a user",
        COMPOSE_PATH,
        "postgres:12-alpine",
        "user:Zq7@registry.example.com/kasmweb/postgres:12",
    ),
    (
        "a quoted image with a user",
        COMPOSE_PATH,
        "postgres:12-alpine",
        "\"https://user:Zq7@example.com/postgres:12\"",
    ),
    (
        "an image from a variable",
        COMPOSE_PATH,
        "postgres:12-alpine",
        "u:${POSTGRES_PASSWORD}@e.com/postgres:12",
    ),
    ("an image with a message", COMPOSE_PATH, "postgres:12-alpine", "${IMAGE:?u:Zq7@e.com}"),
    ("an image with a default", COMPOSE_PATH, "postgres:12-alpine", "${IMAGE:-u:Zq7@e.com/postgres:12}"),
    ("an image that is broken", COMPOSE_PATH, "postgres:12-alpine", "${IMAGE:-u:Zq7@e.com"),
    ("an image that is a list", COMPOSE_PATH, "postgres:12-alpine", "[Zq7]"),
    ("a container name", COMPOSE_PATH, "kasm_db # Zq7", "[Zq7] # "),
    ("a command of no sense", COMPOSE_PATH, "command: postgres", "command: 'Zq7 \"open"),
    (
        "a command that sets the list",
        COMPOSE_PATH,
        "-c myext.secret=Zq7",
        "-c shared_preload_libraries=Zq7 -c x=",
    ),
    ("a command that sets a secret", COMPOSE_PATH, "-c myext.secret=", "-c primary_conninfo="),
    ("a command that sets what is managed", COMPOSE_PATH, "-c myext.secret=", "-c archive_command="),
    ("a command from a variable", COMPOSE_PATH, "command: postgres", "command: ${POSTGRES_PASSWORD}"),
    (
        "an environment that is text",
        COMPOSE_PATH,
        "    environment:\n      - OTHER",
        "    environment: OTHER",
    ),
    ("an env_file that is not there", COMPOSE_PATH, "[db.env]", "[Zq7.env]"),
    ("services that are a list", COMPOSE_PATH, "services:\n", "services: [Zq7]\nx-services:\n"),
    ("an include", COMPOSE_PATH, "services:\n", "include: ['https://u:Zq7@example.com/a.yaml']\nservices:\n"),
    (
        "extends",
        COMPOSE_PATH,
        "    <<: *common",
        "    extends: {file: 'https://u:Zq7@example.com/a.yaml', service: Zq7Service12}",
    ),
    ("two services", COMPOSE_PATH, "  other:", "  second:\n    container_name: kasm_db\n  other:"),
    ("a second document", COMPOSE_PATH, "secrets:", "---\nZq7\n---\nsecrets:"),
    ("an .env that is none", "docker/.env", "POSTGRES_PASSWORD=", "POSTGRES_PASSWORD "),
    ("an open quote in .env", "docker/.env", "EnvQuoted\"", "EnvQuoted"),
    ("a variable in .env", "docker/.env", "Zq7EnvPlain", "${Zq7"),
    ("a byte of no text in .env", "docker/.env", "Zq7EnvPlain", "\0Zq7"),
    ("an open quote in the conf", CONF_PATH, "Zq7Custom'", "Zq7Custom"),
    ("an unknown setting", CONF_PATH, "work_mem =", "my_password = 'Zq7Unknown'\nwork_mem ="),
    ("a number that is none", CONF_PATH, "work_mem = 4MB", "work_mem = 4MB\nport = 'Zq7Port'"),
    ("a switch that is none", CONF_PATH, "work_mem = 4MB", "work_mem = 4MB\nfsync = Zq7Switch"),
    ("a word of a list that is none", CONF_PATH, "work_mem = 4MB", "work_mem = 4MB\nwal_level = 'Zq7Level'"),
    ("a preload list that is none", CONF_PATH, "libraries = ''", "libraries = 'Zq7, \"'"),
    ("a word behind a value", CONF_PATH, "'Zq7Custom'", "'Zq7' Zq7Behind"),
    ("a line of no setting", CONF_PATH, "# Zq7ConfTail", "Zq7 'Zq7"),
    ("a line of one word", CONF_PATH, "# Zq7ConfTail", "Zq7ConfTail"),
    ("a line of signs", CONF_PATH, "# Zq7ConfTail", "= Zq7ConfTail"),
    ("a backslash", CONF_PATH, "Zq7Custom'", "Zq7Custom\\"),
    ("an internal setting", CONF_PATH, "# Zq7ConfTail", "server_version = 'Zq7'"),
    ("a NUL in the conf", CONF_PATH, "Zq7ConfTail", "\0Zq7"),
    ("an open quote in an include", "conf/database/extra.conf", "Included'", "Included"),
    (
        "a value of no sense in auto.conf",
        "conf/database/postgresql.auto.conf",
        "myext.auto =",
        "port = 'Zq7'\nx",
    ),
    ("a managed value in auto.conf", "conf/database/postgresql.auto.conf", "myext.auto", "archive_command"),
];

const COMPOSE_PATH: &str = "docker/docker-compose.yaml";
const CONF_PATH: &str = "conf/database/postgresql.conf";

/// Tasks of Ansible, by the names of the files with their options; `ROOT` is the folder of the sandbox.
pub(super) const TASKS: &[(&str, &str)] = &[
    (
        "check.task",
        r#"{"config": "ROOT/examples/existing/kasm-db.yaml", "_ansible_check_mode": true, "_ansible_diff": true}"#,
    ),
    (
        "planned.task",
        r#"{"config": "ROOT/examples/existing/kasm-db.yaml", "state": "planned", "_ansible_diff": true}"#,
    ),
    ("verified.task", r#"{"config": "ROOT/examples/existing/kasm-db.yaml", "state": "verified"}"#),
    (
        "present.task",
        r#"{"config": "ROOT/examples/existing/kasm-db.yaml", "restart": "if_needed", "_ansible_diff": true, "_ansible_verbosity": 3}"#,
    ),
];
