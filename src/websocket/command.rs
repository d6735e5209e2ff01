//! Command: a client's `tailcast.v1` message, validated. An invalid command is answered with what
//! was expected, and the stream continues.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cursor::{Cursor, parse_set};
use crate::filter::{Pattern, compile};
use crate::line::{Level, Zone};
use crate::source::MAX_OLDER_LINES;
use tailcast_core::time_expr::When;

/// A client's command.
#[derive(Clone, Debug)]
pub enum Command {
    /// Stop sending lines.
    Pause,
    /// Continue where it paused.
    Resume,
    /// Replace the filter (except `since` and `until`).
    Filter(Rule),
    /// Continue from another position.
    Seek(Seek),
    /// A page of the lines before a position.
    Older {
        /// The position, or those of all sources.
        before: Vec<Cursor>,
        /// How many lines at most.
        n_lines: usize,
        /// The source; `None`: the only one.
        source: Option<String>,
    },
    /// Add a source.
    Follow {
        /// Its name.
        source: String,
    },
    /// Remove a source.
    Unfollow {
        /// Its name.
        source: String,
    },
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// The line has to match.
    pub grep: Option<Pattern>,
    /// The line must not match.
    pub exclude: Option<Pattern>,
    /// The line's level has to be this or above.
    pub level: Option<Level>,
}

/// Where to continue.
#[derive(Clone, Debug)]
pub enum Seek {
    /// After these cursors.
    From(Vec<Cursor>),
    /// At the last lines (`None`: at the oldest that is left) since a time.
    Past {
        /// How many matching lines.
        tail: Option<u64>,
        /// Nanoseconds since 1970.
        since: Option<i64>,
    },
}

/// A command as it came.
#[derive(Debug)]
pub struct Received {
    /// Its `id` as JSON, to be echoed in the answer; `null` if there is none.
    pub re: String,
    /// The command, or what was expected instead.
    pub command: Result<Command, String>,
}

/// Parses a message. Never fails: an unparsable message is an invalid command.
#[must_use]
pub fn parse(message: &str, zone: &Zone) -> Received {
    let value: Value = match serde_json::from_str(message) {
        Ok(value) => value,
        Err(error) => return nonsense(format!("this is not JSON: {error}; {EXPECTED}")),
    };
    let Value::Object(mut fields) = value else {
        return nonsense(format!("this is no JSON object; {EXPECTED}"));
    };
    let re = match fields.remove("id") {
        Some(id @ (Value::Number(_) | Value::String(_))) => id.to_string(),
        None | Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            let re = "null".to_owned();
            return Received { re, command: Err(format!("there is no `id`; {EXPECTED}")) };
        }
    };
    Received { re, command: Fields(fields).command(zone) }
}

fn nonsense(reason: String) -> Received {
    Received { re: "null".to_owned(), command: Err(reason) }
}

/// The members of a command besides its `id`; each is removed when it is read.
struct Fields(Map<String, Value>);

impl Fields {
    fn command(mut self, zone: &Zone) -> Result<Command, String> {
        let Some(cmd) = self.text("cmd")? else {
            return Err(format!("there is no `cmd`; {EXPECTED}"));
        };
        let command = match cmd.as_str() {
            "pause" => Command::Pause,
            "resume" => Command::Resume,
            "filter" => Command::Filter(self.rule()?),
            "seek" => Command::Seek(self.seek(zone)?),
            "older" => self.older()?,
            "follow" => Command::Follow { source: self.source()? },
            "unfollow" => Command::Unfollow { source: self.source()? },
            _ => return Err(format!("`cmd` is {}; {EXPECTED}", Value::from(cmd))),
        };
        match self.0.keys().next() {
            None => Ok(command),
            Some(name) => Err(format!("`{cmd}` has no field {}", Value::from(name.as_str()))),
        }
    }

    fn rule(&mut self) -> Result<Rule, String> {
        Ok(Rule {
            grep: self.pattern("grep")?,
            exclude: self.pattern("exclude")?,
            level: self.level()?,
        })
    }

    fn seek(&mut self, zone: &Zone) -> Result<Seek, String> {
        let (tail, since) = (self.tail()?, self.since(zone)?);
        match (self.cursors("from")?, tail, since) {
            (Some(from), None, None) => Ok(Seek::From(from)),
            (Some(_), Some(_), Some(_) | None) | (Some(_), None, Some(_)) => {
                Err("`from` names the place to go on, and so do `tail` and `since`: give one"
                    .to_owned())
            }
            (None, None, None) => Err("`seek` needs one of `tail`, `since`, `from`".to_owned()),
            (None, tail, since) => {
                let tail = match tail {
                    Some(TailParameter::Lines(n_lines)) => Some(n_lines),
                    Some(TailParameter::All) | None => None,
                };
                Ok(Seek::Past { tail, since })
            }
        }
    }

    fn older(&mut self) -> Result<Command, String> {
        let before = self.cursors("before")?;
        let before =
            before.ok_or("`older` needs `before`, a place: the `start` of a batch or page")?;
        let n_lines = match self.0.remove("lines") {
            None | Some(Value::Null) => DEFAULT_OLDER_LINES,
            Some(value) => value
                .as_u64()
                .and_then(|n_lines| usize::try_from(n_lines).ok())
                .filter(|n_lines| (1..=MAX_OLDER_LINES).contains(n_lines))
                .ok_or(format!("`lines` is {value}, expected 1 to {MAX_OLDER_LINES}"))?,
        };
        Ok(Command::Older { before, n_lines, source: self.text("source")? })
    }

    fn source(&mut self) -> Result<String, String> {
        self.text("source")?.ok_or("`source` is missing: the name of a log".to_owned())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(
                value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)),
            ) => Err(format!("`{name}` is {}, expected text", short(&value))),
        }
    }

    fn pattern(&mut self, name: &str) -> Result<Option<Pattern>, String> {
        let pattern = self.text(name)?.filter(|pattern| !pattern.is_empty());
        pattern
            .map(|pattern| compile(&pattern).map_err(|error| format!("`{name}` {error}")))
            .transpose()
    }

    fn level(&mut self) -> Result<Option<Level>, String> {
        let level = self.text("level")?.filter(|level| !level.is_empty());
        level
            .map(|level| level.parse().map_err(|error| format!("`level` is wrong: {error}")))
            .transpose()
    }

    fn tail(&mut self) -> Result<Option<TailParameter>, String> {
        match self.0.remove("tail") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(all)) if all == "all" => Ok(Some(TailParameter::All)),
            Some(value) => match value.as_u64() {
                Some(n_lines) => Ok(Some(TailParameter::Lines(n_lines))),
                None => Err(format!(
                    "`tail` is {}, expected a number of lines, or \"all\"",
                    short(&value)
                )),
            },
        }
    }

    fn since(&mut self, zone: &Zone) -> Result<Option<i64>, String> {
        let since = self.text("since")?;
        since
            .map(|since| When::parse(&since, Timestamp::now(), zone.time_zone()))
            .transpose()
            .map(|when| when.map(|when| when.first_nanos()))
            .map_err(|error| format!("`since` is not a time: {error}"))
    }

    fn cursors(&mut self, name: &str) -> Result<Option<Vec<Cursor>>, String> {
        let cursors = self.text(name)?;
        cursors
            .map(|cursors| parse_set(&cursors).map_err(|error| format!("`{name}` {error}")))
            .transpose()
    }
}

/// The value of `tail`.
enum TailParameter {
    All,
    Lines(u64),
}

/// A value, safe to display.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

const EXPECTED: &str = "expected {\"id\":n,\"cmd\":…}, `cmd` being one of pause, resume, filter, \
    seek, older, follow, unfollow";

const DEFAULT_OLDER_LINES: usize = 100;
const SHOWN_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::{Command, Seek, parse};
    use crate::line::Zone;

    fn command(message: &str) -> Result<Command, String> {
        parse(message, &Zone::system()).command
    }

    fn error(message: &str) -> (String, String) {
        let received = parse(message, &Zone::system());
        (received.re, received.command.expect_err("it makes no sense"))
    }

    #[test]
    fn what_is_left_out_or_empty_is_no_filter() {
        for message in [
            r#"{"id":1,"cmd":"filter"}"#,
            r#"{"id":1,"cmd":"filter","grep":"","exclude":"","level":""}"#,
            r#"{"id":1,"cmd":"filter","grep":null,"exclude":null,"level":null}"#,
        ] {
            let Ok(Command::Filter(rule)) = command(message) else { panic!("{message}") };
            assert!(rule.grep.is_none() && rule.exclude.is_none() && rule.level.is_none());
        }
    }

    #[test]
    fn the_past_is_named_as_in_a_url() {
        let seek = |fields: &str| command(&format!(r#"{{"id":1,"cmd":"seek",{fields}}}"#));
        assert!(matches!(
            seek(r#""tail":5"#),
            Ok(Command::Seek(Seek::Past { tail: Some(5), since: None }))
        ));
        assert!(matches!(
            seek(r#""tail":"all""#),
            Ok(Command::Seek(Seek::Past { tail: None, since: None }))
        ));
        assert!(matches!(
            seek(r#""since":"5m""#),
            Ok(Command::Seek(Seek::Past { tail: None, since: Some(_) }))
        ));
    }

    #[test]
    fn nonsense_is_answered_and_names_what_was_expected() {
        for (message, re, words) in [
            ("", "null", "not JSON"),
            ("{", "null", "not JSON"),
            ("[]", "null", "no JSON object"),
            (r#"{"cmd":"pause"}"#, "null", "no `id`"),
            (r#"{"id":{},"cmd":"pause"}"#, "null", "no `id`"),
            (r#"{"id":7}"#, "7", "no `cmd`"),
            (r#"{"id":7,"cmd":5}"#, "7", "`cmd` is 5, expected text"),
            (r#"{"id":"a","cmd":"dance"}"#, "\"a\"", "`cmd` is \"dance\"; expected"),
            (r#"{"id":7,"cmd":"filter","gerp":"x"}"#, "7", "`filter` has no field \"gerp\""),
            (r#"{"id":7,"cmd":"filter","grep":"("}"#, "7", "`grep` is not a regular expression"),
            (r#"{"id":7,"cmd":"filter","level":"loud"}"#, "7", "`level` is wrong"),
            (r#"{"id":7,"cmd":"seek"}"#, "7", "needs one of"),
            (r#"{"id":7,"cmd":"seek","tail":-1}"#, "7", "`tail` is -1"),
            (r#"{"id":7,"cmd":"seek","since":"soon"}"#, "7", "`since` is not a time"),
            (r#"{"id":7,"cmd":"seek","from":"x"}"#, "7", "`from` "),
            (r#"{"id":7,"cmd":"older"}"#, "7", "needs `before`"),
            (r#"{"id":7,"cmd":"follow"}"#, "7", "`source` is missing"),
        ] {
            let (told_re, told) = error(message);
            assert_eq!(told_re, re, "{message}");
            assert!(told.contains(words), "{message}: {told}");
        }
    }
}
