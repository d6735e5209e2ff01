//! A server behind doors: its configuration, users and tokens in a folder of their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::support::{LogFile, LogFolder, Options, Request, TestServer, run};

/// A folder with a configuration, users, tokens, and logs in `logs`.
#[derive(Debug)]
pub struct AuthFixture {
    folder: LogFolder,
}

/// The password of every user here.
pub const PASSWORD: &str = "correct horse";

impl AuthFixture {
    /// With these keys in the `tailcast` table; a source named `logs` is served.
    pub fn new(keys: &str) -> Self {
        let house = AuthFixture { folder: LogFolder::new() };
        house.configure(keys);
        house
    }

    /// Writes other keys.
    pub fn configure(&self, keys: &str) {
        self.configure_all(&format!("[default.tailcast]\n{keys}\n"));
    }

    /// Writes a whole configuration.
    pub fn configure_all(&self, text: &str) {
        // Replaced, not written into: the server may read it at any moment.
        self.folder.write("next.toml", text);
        std::fs::rename(self.join("next.toml"), self.config()).unwrap();
    }

    /// A log below `logs`.
    pub fn log(&self, name: &str) -> LogFile {
        self.folder.log(&format!("logs/{name}"))
    }

    /// What is in the house.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where the configuration is.
    pub fn config(&self) -> PathBuf {
        self.join("house.toml")
    }

    /// Adds a user, by the command.
    pub fn user(&self, name: &str, groups: &[&str]) {
        self.user_with(name, groups, PASSWORD);
    }

    /// Adds a user with a password of their own.
    pub fn user_with(&self, name: &str, groups: &[&str], password: &str) {
        self.folder.write("password", format!("{password}\n"));
        let mut words = vec!["user", "add", name, "--password-file"];
        let file = self.join("password");
        words.push(file.to_str().unwrap());
        for group in groups {
            words.extend(["--group", group]);
        }
        self.command(&words);
    }

    /// Makes a token, by the command.
    pub fn token(&self, arguments: &[&str]) -> String {
        let words: Vec<&str> = ["token", "new"].iter().chain(arguments).copied().collect();
        self.command(&words).trim_end().to_owned()
    }

    /// Runs a command on the house's configuration and returns what it says.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> String {
        let output = self.try_command(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that may fail.
    pub fn try_command(&self, words: &[&str]) -> std::process::Output {
        let options = Options::default().argument("--config").argument(self.config());
        run(words, &options)
    }

    /// How to serve the logs.
    pub fn options(&self) -> Options {
        let logs = self.join("logs");
        std::fs::create_dir_all(&logs).unwrap();
        let config = self.config();
        let words: [&Path; 3] = [&logs, Path::new("--config"), &config];
        words
            .into_iter()
            .fold(Options::default(), |options, word| options.argument(OsString::from(word)))
    }

    /// Serves the logs.
    #[track_caller]
    pub fn start(&self) -> TestServer {
        self.options().start()
    }
}

/// What Basic sends.
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// Asks as a user.
pub fn as_user(path: &str, name: &str) -> Request {
    Request::get(path).header("Authorization", &basic(name, PASSWORD))
}

/// Asks with a token.
pub fn with_token(path: &str, token: &str) -> Request {
    Request::get(path).header("Authorization", &format!("Bearer {token}"))
}
