//! What an apply does after the files are written.

use model::document::Connect;
use ops::FollowUp;
use schemars::JsonSchema;
use serde::Serialize;

use super::words::Step;

/// What an apply does after the files are written.
#[derive(Serialize, JsonSchema)]
pub(super) struct Follows {
    /// The steps, in their order.
    steps: Vec<Step>,
    /// The command that stops the deployment; a path that is not absolute starts at the folder of the target.
    stop: Vec<String>,
    /// The command that starts it.
    start: Vec<String>,
    /// How long the command that stops it may take.
    stop_timeout_seconds: u64,
    /// How long the database may take to come up.
    timeout_seconds: u64,
    /// How the server is reached.
    connect: ConnectName,
    container: String,
    user: String,
    database: String,
    /// The databases that get the extension.
    extension_databases: Vec<String>,
    /// The statements that are run.
    sql: Vec<&'static str>,
}

/// How a server is reached.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ConnectName {
    Docker,
    Tcp,
    None,
}

impl From<&FollowUp> for Follows {
    fn from(from: &FollowUp) -> Self {
        Self {
            steps: from.steps().map(Step::from).collect(),
            stop: from.stop.clone(),
            start: from.start.clone(),
            stop_timeout_seconds: from.stop_timeout.as_secs(),
            timeout_seconds: from.timeout.as_secs(),
            connect: match from.connect {
                Connect::Docker => ConnectName::Docker,
                Connect::Tcp => ConnectName::Tcp,
                Connect::None => ConnectName::None,
            },
            container: from.container.clone(),
            user: from.user.clone(),
            database: from.database.clone(),
            extension_databases: from.extension_databases.clone(),
            sql: from.sql(),
        }
    }
}
