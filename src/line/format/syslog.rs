//! syslog: RFC 5424 and RFC 3164, with and without priority.

use crate::line::format::{LineMetadata, message_level};
use crate::line::level::Level;
use crate::line::stamp::{CivilTime, Parsed};
use crate::line::zone::Zone;

/// `<165>1 2026-11-21T… …`, `<13>Nov 21 10:00:00 …`, and `<3>…` with no time at all. The level is
/// the priority's.
pub(super) fn prioritized(line: &[u8], zone: &Zone) -> Option<LineMetadata> {
    let (severity, rest) = priority(line)?;
    let rest = rest.strip_prefix(b"1 ").unwrap_or(rest);
    let stamp = CivilTime::iso(rest).or_else(|| CivilTime::syslog(rest, zone));
    let time = stamp.and_then(|(stamp, _)| stamp.time(zone));
    Some(LineMetadata::new(time, Level::from_severity(severity)))
}

/// `Nov 21 10:00:00 host tag[1]: …`, as syslog daemons write their files.
pub(super) fn dated(line: &[u8], zone: &Zone) -> Option<LineMetadata> {
    let (stamp, rest) = CivilTime::syslog(line, zone)?;
    Some(LineMetadata::new(stamp.time(zone), message_level(rest)))
}

/// The severity within `<PRI>`, 0 to 191 (RFC 5424, section 6.2.1).
fn priority(line: &[u8]) -> Parsed<'_, u32> {
    let mut rest = line.strip_prefix(b"<")?;
    let mut priority = 0;
    for _ in 0..=3 {
        let (&byte, after) = rest.split_first()?;
        match byte {
            b'0'..=b'9' => priority = priority * 10 + u32::from(byte - b'0'),
            b'>' if rest.len() + 1 < line.len() && priority <= 191 => {
                return Some((priority % 8, after));
            }
            _ => return None,
        }
        rest = after;
    }
    None
}
