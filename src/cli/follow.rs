//! The flags of `tailcast follow`, and what they mean for what is asked of the server.

use clap::Args;

use crate::cli::connect::ConnectArgs;
use tailcast_client::Query;

/// What `follow` takes.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct FollowArgs {
    /// Logs to follow, with http, https, ws or wss; a name may be a glob, and the URL may have the
    /// parameters of the server. What is given below beats them.
    #[arg(value_name = "URL", required = true)]
    pub urls: Vec<String>,
    /// Begin with the last N lines that pass, or with all there are [default: 10; all with --since].
    #[arg(short = 'n', long, value_name = "N|all", value_parser = tail)]
    pub tail: Option<TailArg>,
    /// Only lines since then: RFC 3339, a date, or a span back from now such as 5m.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only lines until then; ends when the clock passes it.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only lines that match; a pattern in lower case matches any case.
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// No lines that match.
    #[arg(long, value_name = "REGEX")]
    pub exclude: Option<String>,
    /// Only lines of this level and above.
    #[arg(long, value_name = "LEVEL", value_parser = LEVELS, ignore_case = true)]
    pub level: Option<String>,
    /// Go on after this place: the `cursor` of a record, or what was printed at the end of a run.
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["tail", "since"])]
    pub from: Option<String>,
    /// Print records as JSON, one a line.
    #[arg(long)]
    pub json: bool,
    /// End when the server ends the stream or the connection, and do not reconnect.
    #[arg(long)]
    pub exit_on_end: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap takes a doc here for the command's own")]
    pub connect: ConnectArgs,
}

/// How many lines of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailArg {
    /// All there are.
    All,
    /// The last ones.
    Lines(u64),
}

impl FollowArgs {
    /// What is asked of the server, beside what the URL says.
    #[must_use]
    pub fn query(&self) -> Query {
        let mut query = Query::new();
        match self.tail {
            None => {}
            Some(TailArg::All) => query = query.all(),
            Some(TailArg::Lines(n_lines)) => query = query.tail(n_lines),
        }
        let set = |query: Query, value: &Option<String>, with: fn(Query, &str) -> Query| match value
        {
            Some(value) => with(query, value),
            None => query,
        };
        query = set(query, &self.since, Query::since);
        query = set(query, &self.until, Query::until);
        query = set(query, &self.grep, Query::grep);
        query = set(query, &self.exclude, Query::exclude);
        query = set(query, &self.level, Query::level);
        set(query, &self.from, Query::from)
    }

    /// The command that goes on with one of the URLs after a place, for a shell.
    #[must_use]
    pub fn command_from(&self, url: &str, cursor: &str) -> String {
        let mut words = vec!["tailcast follow".to_owned(), quoted(url)];
        let named = [
            ("--until", &self.until),
            ("--grep", &self.grep),
            ("--exclude", &self.exclude),
            ("--level", &self.level),
        ];
        for (flag, value) in named {
            words.extend(value.iter().map(|value| format!("{flag} {}", quoted(value))));
        }
        words.push(format!("--from {cursor}"));
        words.join(" ")
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn tail(text: &str) -> Result<TailArg, String> {
    if text == "all" {
        return Ok(TailArg::All);
    }
    text.parse()
        .map(TailArg::Lines)
        .map_err(|_no_number| "expected a number of lines, or `all`".into())
}

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

pub(super) const EXAMPLES: &str = "\
Examples:
  tailcast follow http://127.0.0.1:8000/logs/app.log
  tailcast follow https://logs.example/logs/app.log -n 100 --level warn
  tailcast follow 'http://127.0.0.1:8000/logs/nginx/*.log' --grep timeout
  tailcast follow http://a:8000/logs/app.log http://b:8000/logs/app.log
  tailcast follow URL -n all --json | jq .line
  TAILCAST_TOKEN_FILE=~/.tailcast tailcast follow URL

It reconnects for ever and goes on after the last line it has printed; what happened is said on
standard error. When it ends it prints the command that goes on from there.
Exit codes: 0 the stream has ended, or Ctrl-C; 1 it has ended with an error; 2 a mistake above.";

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_for_a_shell_means_itself() {
        assert_eq!(quoted("http://a:1/logs/x"), "http://a:1/logs/x");
        assert_eq!(quoted("http://a/logs/*.log?x=1&y=2"), "'http://a/logs/*.log?x=1&y=2'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
