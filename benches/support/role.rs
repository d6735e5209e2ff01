//! Role: what a bench is when it has started itself again.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use super::{churn, client, floor, writer};

/// The first word on a child's command line; its role is the second.
pub(crate) const AS_CHILD: &str = "--as-child";

/// What a child does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Becomes another program.
    Become(Program),
    /// Serves a file in the least way.
    Floor(floor::Plan),
    /// Appends numbered lines to a file.
    Write(writer::Plan),
    /// Views and checks.
    View(client::Plan),
    /// Comes and goes.
    Churn(churn::Plan),
}

/// A program and all it is told. Its environment is this one, nothing else.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Its path.
    pub(crate) path: String,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Its environment.
    pub(crate) environment: BTreeMap<String, String>,
}

/// Does what `role`, as JSON, says.
pub(crate) fn play(role: &str) -> anyhow::Result<()> {
    // A bench that is killed takes its children along. The wish outlives becoming another program.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    match serde_json::from_str(role).context("not a role")? {
        Role::Become(Program { path, arguments, environment }) => {
            let mut command = Command::new(&path);
            let error = command.args(arguments).env_clear().envs(environment).exec();
            Err(error).with_context(|| format!("cannot start {path}"))
        }
        Role::Floor(plan) => floor::serve(&plan),
        Role::Write(plan) => writer::write(&plan),
        Role::View(plan) => client::view(&plan),
        Role::Churn(plan) => churn::churn(&plan),
    }
}
