//! What stands where in a compose file, as far as it cannot be a secret, or Compose takes only values of a type there.
//!
//! Everything that is not named here is hidden, and any text may be there for all that Compose checks: environments, commands,
//! labels, contents of secrets and configs, build arguments, options of drivers, extension fields and unknown keys.

use super::kinds::Kind;

/// A place in a compose file: what may be there, as a scalar, in a list and under keys.
#[derive(Debug)]
pub(super) struct Place {
    /// What a scalar here is.
    pub(super) scalar: Kind,
    /// What items of a list are.
    pub(super) items: Option<&'static Place>,
    /// Whether Compose refuses an item that is in the list twice.
    pub(super) is_set: bool,
    keys: Keys,
    /// What is under any other key.
    others: Option<&'static Place>,
}

type Keys = &'static [(&'static str, &'static Place)];

impl Place {
    const fn of(scalar: Kind) -> Self {
        Self { scalar, items: None, is_set: false, keys: &[], others: None }
    }

    /// A list, or one of its items alone; Compose refuses an item that is there twice.
    const fn set(kind: Kind, items: &'static Place) -> Self {
        Self { items: Some(items), is_set: true, ..Self::of(kind) }
    }

    /// A list.
    const fn list(kind: Kind, items: &'static Place) -> Self {
        Self { items: Some(items), ..Self::of(kind) }
    }

    const fn map(keys: Keys) -> Self {
        Self { keys, ..Self::of(Kind::Text) }
    }

    const fn each(others: &'static Place) -> Self {
        Self { others: Some(others), ..Self::of(Kind::Text) }
    }

    const fn or_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    const fn or_each(self, others: &'static Place) -> Self {
        Self { others: Some(others), ..self }
    }

    /// Returns the place of the value of a key.
    pub(super) fn key(&self, key: &str) -> &'static Place {
        let known = self.keys.iter().find(|(known, _)| *known == key).map(|(_, place)| *place);
        match known.or(self.others) {
            Some(place) => place,
            // Beneath an extension field, everything is one.
            None if key.starts_with("x-") || self.scalar == Kind::Extension => &EXTENSION,
            None => &TEXT,
        }
    }

    /// Returns the place of an item of a list.
    pub(super) fn item(&self) -> &'static Place {
        match self.items {
            Some(items) => items,
            None if self.scalar == Kind::Extension => &EXTENSION,
            None => &TEXT,
        }
    }
}

static TEXT: Place = Place::of(Kind::Text);
static EXTENSION: Place = Place::of(Kind::Extension);
static BOOL: Place = Place::of(Kind::Bool);
static INT: Place = Place::of(Kind::Int);
static NUMBER: Place = Place::of(Kind::Number);
static DURATION: Place = Place::of(Kind::Duration);
static SIZE: Place = Place::of(Kind::Size);
static NAME: Place = Place::of(Kind::Name);
static NAMES: Place = Place::set(Kind::Name, &NAME);
static PATH: Place = Place::of(Kind::Path);
static PATHS: Place = Place::set(Kind::Path, &PATH);
static ADDRESS: Place = Place::of(Kind::Address);
static IMAGE: Place = Place::of(Kind::Image);
static PLATFORM: Place = Place::of(Kind::Platform);
static USER: Place = Place::of(Kind::User);
static PORT: Place = Place::of(Kind::Port);
/// Texts of which Compose takes each only once: variables, labels.
static TEXTS: Place = Place::set(Kind::Text, &TEXT);
static PROTOCOL: Place = Place::of(Kind::Word(&["tcp", "udp", "sctp"]));

/// A compose file.
pub(super) static FILE: Place = Place::map(&[
    ("version", &Place::of(Kind::Version)),
    ("name", &NAME),
    ("services", &Place::each(&SERVICE)),
    ("networks", &Place::each(&NETWORK)),
    ("volumes", &Place::each(&VOLUME)),
    ("secrets", &Place::each(&SECRET)),
    ("configs", &Place::each(&SECRET)),
    ("include", &INCLUDE),
]);

static INCLUDE: Place = Place::list(
    Kind::Path,
    &Place::of(Kind::Path).or_keys(&[
        ("path", &PATHS),
        ("project_directory", &PATH),
        ("env_file", &ENV_FILE),
    ]),
);

static ENV_FILE_ITEM: Place = Place::of(Kind::EnvFile).or_keys(&[
    ("path", &Place::of(Kind::EnvFile)),
    ("required", &BOOL),
    ("format", &Place::of(Kind::Word(&["raw"]))),
]);
static ENV_FILE: Place = Place::list(Kind::EnvFile, &ENV_FILE_ITEM);

static EXTERNAL: Place = Place::of(Kind::Bool).or_keys(&[("name", &NAME)]);

static NETWORK: Place = Place::map(&[
    ("attachable", &BOOL),
    ("driver", &NAME),
    ("driver_opts", &TEXTS),
    ("enable_ipv4", &BOOL),
    ("enable_ipv6", &BOOL),
    ("external", &EXTERNAL),
    ("internal", &BOOL),
    ("ipam", &IPAM),
    ("labels", &TEXTS),
    ("name", &NAME),
]);

static IPAM: Place = Place::map(&[("config", &Place::list(Kind::Text, &POOL)), ("driver", &NAME)]);

static POOL: Place = Place::map(&[
    ("aux_addresses", &Place::each(&ADDRESS)),
    ("gateway", &ADDRESS),
    ("ip_range", &ADDRESS),
    ("subnet", &ADDRESS),
]);

static VOLUME: Place =
    Place::map(&[("driver", &NAME), ("external", &EXTERNAL), ("labels", &TEXTS), ("name", &NAME)]);

/// What a secret or a config is made from stays hidden.
static SECRET: Place = Place::map(&[("external", &Place::of(Kind::Bool)), ("labels", &TEXTS)]);

/// A service.
static SERVICE: Place = Place::map(&[
    ("annotations", &TEXTS),
    ("attach", &BOOL),
    ("blkio_config", &BLKIO),
    ("build", &BUILD),
    ("cap_add", &CAPABILITIES),
    ("cap_drop", &CAPABILITIES),
    ("cgroup", &Place::of(Kind::Word(&["private", "host"]))),
    ("configs", &Place::list(Kind::Name, &GRANT)),
    ("container_name", &Place::of(Kind::Container)),
    ("cpu_count", &INT),
    ("cpu_percent", &NUMBER),
    ("cpu_period", &DURATION),
    ("cpu_quota", &DURATION),
    ("cpu_rt_period", &DURATION),
    ("cpu_rt_runtime", &DURATION),
    ("cpu_shares", &INT),
    ("cpus", &NUMBER),
    ("depends_on", &DEPENDS_ON),
    ("deploy", &DEPLOY),
    ("develop", &DEVELOP),
    ("device_cgroup_rules", &TEXTS),
    ("devices", &TEXTS),
    ("dns", &Place::set(Kind::Address, &ADDRESS)),
    ("dns_opt", &TEXTS),
    ("dns_search", &NAMES),
    ("domainname", &NAME),
    ("env_file", &ENV_FILE),
    ("environment", &TEXTS),
    ("expose", &Place::set(Kind::Port, &PORT)),
    ("extends", &Place::of(Kind::Name).or_keys(&[("file", &PATH), ("service", &NAME)])),
    ("external_links", &TEXTS),
    ("extra_hosts", &Place::set(Kind::Host, &Place::of(Kind::Host)).or_each(&ADDRESS)),
    ("group_add", &Place::set(Kind::Name, &NAME)),
    ("healthcheck", &HEALTHCHECK),
    ("hostname", &NAME),
    ("image", &IMAGE),
    ("init", &BOOL),
    ("label_file", &Place::list(Kind::EnvFile, &Place::of(Kind::EnvFile))),
    ("labels", &TEXTS),
    ("links", &Place::set(Kind::Name, &Place::of(Kind::User))),
    ("logging", &LOGGING),
    ("mem_limit", &SIZE),
    ("mem_reservation", &SIZE),
    ("mem_swappiness", &INT),
    ("memswap_limit", &SIZE),
    ("network_mode", &Place::of(Kind::User)),
    ("networks", &Place::set(Kind::Name, &NAME).or_each(&ATTACHMENT)),
    ("oom_kill_disable", &BOOL),
    ("oom_score_adj", &INT),
    ("pids_limit", &INT),
    ("platform", &PLATFORM),
    ("ports", &Place::set(Kind::Port, &PUBLISHED)),
    ("privileged", &BOOL),
    ("profiles", &NAMES),
    ("pull_policy", &Place::of(Kind::Word(PULL))),
    ("read_only", &BOOL),
    ("restart", &Place::of(Kind::Restart)),
    ("runtime", &NAME),
    ("scale", &INT),
    ("secrets", &Place::list(Kind::Name, &GRANT)),
    ("security_opt", &TEXTS),
    ("shm_size", &SIZE),
    ("stdin_open", &BOOL),
    ("stop_grace_period", &DURATION),
    ("stop_signal", &Place::of(Kind::Signal)),
    ("sysctls", &TEXTS),
    ("tmpfs", &TEXTS),
    ("tty", &BOOL),
    ("ulimits", &Place::each(&ULIMIT)),
    ("use_api_socket", &BOOL),
    ("user", &USER),
    ("volumes", &Place::set(Kind::Volume, &MOUNT)),
    ("volumes_from", &Place::set(Kind::Name, &USER)),
    ("working_dir", &PATH),
]);

const PULL: &[&str] = &["missing", "always", "never", "if_not_present", "build", "daily", "weekly"];

static CAPABILITIES: Place = Place::set(Kind::Capability, &Place::of(Kind::Capability));

static BLKIO: Place = Place::map(&[("weight", &INT)]);

static BUILD: Place = Place::map(&[
    ("additional_contexts", &TEXTS),
    ("args", &TEXTS),
    ("extra_hosts", &Place::set(Kind::Host, &Place::of(Kind::Host)).or_each(&ADDRESS)),
    ("labels", &TEXTS),
    ("no_cache", &BOOL),
    ("platforms", &Place::list(Kind::Platform, &PLATFORM)),
    ("privileged", &BOOL),
    ("pull", &BOOL),
    ("secrets", &Place::list(Kind::Name, &GRANT)),
    ("shm_size", &SIZE),
    ("target", &NAME),
    ("ulimits", &Place::each(&ULIMIT)),
]);

static ULIMIT: Place = Place::of(Kind::Int).or_keys(&[("hard", &INT), ("soft", &INT)]);

static DEPENDS_ON: Place = Place::set(Kind::Name, &NAME).or_each(&Place::map(&[
    (
        "condition",
        &Place::of(Kind::Word(&["service_started", "service_healthy", "service_completed_successfully"])),
    ),
    ("required", &BOOL),
    ("restart", &BOOL),
]));

static GRANT: Place = Place::of(Kind::Name).or_keys(&[
    ("gid", &INT),
    ("mode", &INT),
    ("source", &NAME),
    ("target", &PATH),
    ("uid", &INT),
]);

static HEALTHCHECK: Place = Place::map(&[
    ("disable", &BOOL),
    ("interval", &DURATION),
    ("retries", &INT),
    ("start_interval", &DURATION),
    ("start_period", &DURATION),
    ("test", &Place::list(Kind::Text, &Place::of(Kind::Test))),
    ("timeout", &DURATION),
]);

static LOGGING: Place =
    Place::map(&[("driver", &NAME), ("options", &Place::map(&[("max-file", &INT), ("max-size", &SIZE)]))]);

static ATTACHMENT: Place = Place::map(&[
    ("aliases", &NAMES),
    ("gw_priority", &INT),
    ("interface_name", &NAME),
    ("ipv4_address", &ADDRESS),
    ("ipv6_address", &ADDRESS),
    ("link_local_ips", &Place::set(Kind::Address, &ADDRESS)),
    ("priority", &INT),
]);

static PUBLISHED: Place = Place::of(Kind::Port).or_keys(&[
    ("app_protocol", &NAME),
    ("host_ip", &ADDRESS),
    ("mode", &Place::of(Kind::Word(&["host", "ingress"]))),
    ("name", &NAME),
    ("protocol", &PROTOCOL),
    ("published", &PORT),
    ("target", &INT),
]);

static MOUNT: Place = Place::of(Kind::Volume).or_keys(&[
    (
        "bind",
        &Place::map(&[
            ("create_host_path", &BOOL),
            (
                "propagation",
                &Place::of(Kind::Word(&["rprivate", "private", "shared", "rshared", "slave", "rslave"])),
            ),
            ("recursive", &Place::of(Kind::Word(&["enabled", "disabled", "writable", "readonly"]))),
            ("selinux", &Place::of(Kind::Word(&["z", "Z"]))),
        ]),
    ),
    ("consistency", &Place::of(Kind::Word(&["consistent", "cached", "delegated"]))),
    ("image", &Place::map(&[("subpath", &PATH)])),
    ("read_only", &BOOL),
    ("source", &PATH),
    ("target", &PATH),
    ("tmpfs", &Place::map(&[("mode", &INT), ("size", &SIZE)])),
    ("type", &Place::of(Kind::Word(&["volume", "bind", "tmpfs", "cluster", "npipe", "image"]))),
    ("volume", &Place::map(&[("labels", &TEXTS), ("nocopy", &BOOL), ("subpath", &PATH)])),
]);

static DEPLOY: Place = Place::map(&[
    ("endpoint_mode", &Place::of(Kind::Word(&["vip", "dnsrr"]))),
    ("labels", &TEXTS),
    ("mode", &Place::of(Kind::Word(&["replicated", "global", "replicated-job", "global-job"]))),
    ("placement", &Place::map(&[("max_replicas_per_node", &INT)])),
    ("replicas", &INT),
    ("resources", &Place::map(&[("limits", &RESOURCES), ("reservations", &RESOURCES)])),
    (
        "restart_policy",
        &Place::map(&[
            ("condition", &Place::of(Kind::Word(&["any", "none", "on-failure"]))),
            ("delay", &DURATION),
            ("max_attempts", &INT),
            ("window", &DURATION),
        ]),
    ),
    ("rollback_config", &UPDATE),
    ("update_config", &UPDATE),
]);

static DEVELOP: Place = Place::map(&[("watch", &Place::list(Kind::Text, &WATCH))]);

static WATCH: Place = Place::map(&[
    ("action", &Place::of(Kind::Word(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]))),
    ("ignore", &TEXTS),
    ("include", &TEXTS),
    ("initial_sync", &BOOL),
]);

static RESOURCES: Place = Place::map(&[
    ("cpus", &NUMBER),
    (
        "devices",
        &Place::list(
            Kind::Text,
            &Place::map(&[
                ("capabilities", &NAMES),
                ("count", &Place::of(Kind::Count)),
                ("device_ids", &TEXTS),
                ("driver", &NAME),
                ("options", &TEXTS),
            ]),
        ),
    ),
    ("memory", &SIZE),
    ("pids", &INT),
]);

static UPDATE: Place = Place::map(&[
    ("delay", &DURATION),
    ("failure_action", &Place::of(Kind::Word(&["pause", "continue", "rollback"]))),
    ("max_failure_ratio", &NUMBER),
    ("monitor", &DURATION),
    ("order", &Place::of(Kind::Word(&["stop-first", "start-first"]))),
    ("parallelism", &INT),
]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_their_keys() {
        let service = FILE.key("services").key("db");
        assert_eq!(service.key("restart").scalar, Kind::Restart);
        assert_eq!(service.key("ports").item().key("target").scalar, Kind::Int);
        assert_eq!(service.key("healthcheck").key("interval").scalar, Kind::Duration);
        for hidden in ["environment", "labels", "command", "nobody-knows"] {
            assert_eq!(service.key(hidden).key("any").scalar, Kind::Text, "{hidden}");
            assert_eq!(service.key(hidden).item().scalar, Kind::Text, "{hidden}");
        }
        assert_eq!(FILE.key("x-any").key("restart").item().scalar, Kind::Extension);
        assert_eq!(service.key("x-any").scalar, Kind::Extension);
        assert_eq!(FILE.key("secrets").key("one").key("file").scalar, Kind::Text);
    }
}
