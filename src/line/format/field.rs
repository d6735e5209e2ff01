//! The keys under which records of named fields (JSON, logfmt) state their time and level.

use crate::line::level::Level;
use crate::line::stamp::{self, CivilTime};
use crate::line::time::LineTime;
use crate::line::zone::Zone;

/// What a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Time,
    Level,
    /// The line that a container runtime wrapped.
    Log,
    Other,
}

impl Field {
    /// The field of a key, in any case.
    #[inline]
    pub(super) fn of(key: &[u8]) -> Field {
        if key.len() > LONGEST_KEY {
            return Field::Other;
        }
        let mut lower = [0; LONGEST_KEY];
        for (to, from) in lower.iter_mut().zip(key) {
            *to = from.to_ascii_lowercase();
        }
        match lower.get(..key.len()).unwrap_or_default() {
            b"time" | b"timestamp" | b"ts" | b"t" | b"@timestamp" | b"@t" | b"date"
            | b"datetime" | b"eventtime" | b"event_time" | b"asctime" | b"log_time"
            | b"logtime" | b"_time" | b"time_local" | b"time_iso8601" | b"timestamp_ms"
            | b"timemillis" | b"epoch" => Field::Time,
            b"level" | b"severity" | b"lvl" | b"loglevel" | b"log.level" | b"log_level"
            | b"levelname" | b"level_name" | b"@level" | b"@l" | b"severity_text"
            | b"severitytext" | b"priority" => Field::Level,
            b"log" => Field::Log,
            _ => Field::Other,
        }
    }
}

/// The time in a field's text or number.
pub(super) fn time(value: &[u8], zone: &Zone) -> Option<LineTime> {
    match CivilTime::iso(value).or_else(|| CivilTime::access(value)) {
        Some((stamp, _)) => stamp.time(zone),
        None => stamp::epoch(value),
    }
}

/// The level in a field's text or number.
pub(super) fn level(value: &[u8]) -> Option<Level> {
    Level::parse_field(value)
}

/// `severity_text`.
const LONGEST_KEY: usize = 13;
