//! `tailcast user`: who may log in with a password. The password comes from a prompt, a file or the
//! standard input, never from an argument, which everybody on the host could read.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use crate::auth::users;
use crate::config::{AccessConfig, Overrides};

/// What to do with the users.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UserCommand {
    /// Add a user, or give one another password and other groups.
    Add(UserAdd),
    /// List the users and their groups.
    List(ConfigLocation),
    /// Remove a user; what the user has open is ended.
    Remove(UserRemove),
}

/// Where the files are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConfigLocation {
    /// Read this file instead of looking for a Rocket.toml here and in the folders above.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What `user add` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct UserAdd {
    /// The user's name.
    pub name: String,
    /// A group whose rights the user has; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Read the password from this file (`-`: the standard input) instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Where the files are.
    #[command(flatten)]
    pub location: ConfigLocation,
}

/// What `user remove` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct UserRemove {
    /// The user's name.
    pub name: String,
    /// Where the files are.
    #[command(flatten)]
    pub location: ConfigLocation,
}

impl ConfigLocation {
    /// The part of the configuration that names the files.
    pub(super) fn access(&self) -> anyhow::Result<AccessConfig> {
        let overrides = Overrides { config_file: self.config.clone(), ..Overrides::default() };
        Ok(AccessConfig::load(&overrides)?)
    }
}

/// Does it, and returns what to say.
pub fn run(command: &UserCommand) -> anyhow::Result<String> {
    match command {
        UserCommand::Add(add) => {
            let file = add.location.access()?.users_file;
            let password = password(add.password_file.as_deref())?;
            let is_new = users::add(&file, &add.name, add.groups.clone(), &password)?;
            let done = if is_new { "added" } else { "changed" };
            Ok(format!("user {} {done} in {}\n", add.name, file.display()))
        }
        UserCommand::List(location) => {
            let mut text = String::new();
            for user in users::list(&location.access()?.users_file)? {
                writeln!(text, "{}  {}", user.name, user.groups.join(","))?;
            }
            Ok(text)
        }
        UserCommand::Remove(remove) => {
            let file = remove.location.access()?.users_file;
            if !users::remove(&file, &remove.name)? {
                bail!("{} has no user `{}`", file.display(), remove.name);
            }
            Ok(format!("user {} removed from {}\n", remove.name, file.display()))
        }
    }
}

/// One line: what ends it does not belong to the password.
fn password(file: Option<&Path>) -> anyhow::Result<String> {
    let text = match file {
        Some(file) if file == Path::new("-") => from_stdin()?,
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the password from {}", file.display()))?,
        None if !std::io::stdin().is_terminal() => from_stdin()?,
        None => {
            let password = rpassword::prompt_password("Password: ").context("no password")?;
            let again = rpassword::prompt_password("Once more: ").context("no password")?;
            if password != again {
                bail!("the two passwords differ");
            }
            password
        }
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        bail!("the password has several lines; expected one");
    }
    Ok(line.to_owned())
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().read_to_string(&mut text);
    read.context("cannot read the password from the standard input")?;
    Ok(text)
}
