//! [`Level`]: the severity of a line.

use std::fmt;
use std::str::FromStr;

/// The severity of a line, from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Each step of the program.
    Trace,
    /// Details for debugging.
    Debug,
    /// Normal operation.
    Info,
    /// A possible problem.
    Warn,
    /// Something failed.
    Error,
    /// The program, or the whole system, cannot continue.
    Fatal,
}

impl Level {
    /// The level's name in lower case, as it is written in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        }
    }

    /// The level of a word as logs write it, in any case: `WARNING`, `err`, `crit`, `finest`.
    #[must_use]
    pub fn parse_word(word: &[u8]) -> Option<Level> {
        if !(3..=LONGEST_WORD).contains(&word.len()) {
            return None;
        }
        let mut lower = [0; LONGEST_WORD];
        for (to, from) in lower.iter_mut().zip(word) {
            *to = from.to_ascii_lowercase();
        }
        match lower.get(..word.len())? {
            b"trace" | b"trc" | b"finest" | b"finer" | b"silly" => Some(Level::Trace),
            b"debug" | b"dbg" | b"fine" | b"verbose" | b"vrb" | b"config" => Some(Level::Debug),
            b"info" | b"inf" | b"notice" | b"information" | b"informational" | b"log" => {
                Some(Level::Info)
            }
            b"warn" | b"warning" | b"wrn" => Some(Level::Warn),
            b"error" | b"err" | b"severe" | b"eror" => Some(Level::Error),
            b"fatal" | b"ftl" | b"crit" | b"critical" | b"alert" | b"emerg" | b"emergency"
            | b"panic" | b"dpanic" => Some(Level::Fatal),
            _ => None,
        }
    }

    /// The level of a letter as klog, glog and `MongoDB` write it: `I`, `W`, `E`, `F`, `D`, `T`.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Option<Level> {
        match letter {
            b'T' => Some(Level::Trace),
            b'D' => Some(Level::Debug),
            b'I' => Some(Level::Info),
            b'W' => Some(Level::Warn),
            b'E' => Some(Level::Error),
            b'F' => Some(Level::Fatal),
            _ => None,
        }
    }

    /// The level of a syslog severity (RFC 5424, section 6.2.1), 0 to 7.
    #[must_use]
    pub const fn from_severity(severity: u32) -> Option<Level> {
        match severity {
            0..=2 => Some(Level::Fatal),
            3 => Some(Level::Error),
            4 => Some(Level::Warn),
            5 | 6 => Some(Level::Info),
            7 => Some(Level::Debug),
            _ => None,
        }
    }

    /// The level of a number in a record: 10 to 69 as pino and bunyan count (their own levels in
    /// between count as the next below), 0 to 7 as syslog does (GELF).
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Level> {
        match number {
            10..=19 => Some(Level::Trace),
            20..=29 => Some(Level::Debug),
            30..=39 => Some(Level::Info),
            40..=49 => Some(Level::Warn),
            50..=59 => Some(Level::Error),
            60..=69 => Some(Level::Fatal),
            _ => Level::from_severity(number),
        }
    }

    /// The level in a record's field, whether a word, a letter or a number.
    pub(crate) fn parse_field(value: &[u8]) -> Option<Level> {
        match value {
            [b'0'..=b'9', ..] => Level::from_number(std::str::from_utf8(value).ok()?.parse().ok()?),
            [letter] => Level::from_letter(*letter),
            word => Level::parse_word(word),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no level: expected trace, debug, info, warn, error or fatal")]
pub struct LevelError {
    /// What was given, shortened.
    value: String,
}

impl FromStr for Level {
    type Err = LevelError;

    /// Parses a requested level, in any case; `warning` means `warn`.
    fn from_str(text: &str) -> Result<Level, LevelError> {
        let is = |level: &Level| text.eq_ignore_ascii_case(level.as_str());
        ALL.into_iter()
            .find(is)
            .or_else(|| text.eq_ignore_ascii_case("warning").then_some(Level::Warn))
            .ok_or_else(|| LevelError { value: text.chars().take(SHOWN_CHARS).collect() })
    }
}

const ALL: [Level; 6] =
    [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];

/// `informational`.
pub(crate) const LONGEST_WORD: usize = 13;

/// How much of a wrong value is repeated in the error.
const SHOWN_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: Option<Level>) {
        for word in words.split(' ') {
            assert_eq!(Level::parse_word(word.as_bytes()), expected, "{word}");
            assert_eq!(Level::parse_word(word.to_uppercase().as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn the_words_of_logs_are_levels() {
        check("trace trc finest Trace", Some(Level::Trace));
        check("debug dbg fine verbose", Some(Level::Debug));
        check("info inf notice information log Information", Some(Level::Info));
        check("warn warning wrn", Some(Level::Warn));
        check("error err severe eror", Some(Level::Error));
        check("fatal crit critical alert emerg panic emergency", Some(Level::Fatal));
        check("errors warned informations e er logs x tracer", None);
        assert_eq!(Level::parse_word(b""), None);
        assert_eq!(Level::parse_word(&[b'e'; 10_000]), None);
    }

    #[test]
    fn a_query_takes_only_the_six_names_and_warning() {
        for level in ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(level.as_str().to_uppercase().parse(), Ok(level));
        }
        assert_eq!("Warning".parse(), Ok(Level::Warn));
        let error = "eror".parse::<Level>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"eror\" is no level: expected trace, debug, info, warn, error or fatal"
        );
        assert!("x".repeat(10_000).parse::<Level>().unwrap_err().to_string().len() < 150);
    }

    #[test]
    fn numbers_are_read_as_syslog_or_pino_count() {
        let severities: Vec<_> = (0..9).filter_map(Level::from_severity).collect();
        assert_eq!(severities.len(), 8);
        assert!(severities.is_sorted_by(|a, b| a >= b));
        for (value, expected) in [
            ("10", Some(Level::Trace)),
            ("35", Some(Level::Info)),
            ("60", Some(Level::Fatal)),
            ("3", Some(Level::Error)),
            ("E", Some(Level::Error)),
            ("9", None),
            ("1e9", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(Level::parse_field(value.as_bytes()), expected, "{value}");
        }
        assert!(Level::Trace < Level::Debug && Level::Error < Level::Fatal);
    }
}
