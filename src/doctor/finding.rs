//! Finding: what was measured of one thing, and the report that they make.

use std::fmt;

use crate::doctor::advice::{Fault, advice};
use crate::doctor::proxy::Proxy;
use tailcast_client::Target;

/// What was measured of one thing.
#[derive(Debug)]
pub(super) struct Finding {
    subject: &'static str,
    text: String,
    verdict: Verdict,
}

#[derive(Debug)]
enum Verdict {
    Well,
    /// Well, and there is something to know.
    Note,
    Wrong(Fault),
}

impl Finding {
    /// All is well.
    pub(super) fn well(subject: &'static str, text: impl Into<String>) -> Self {
        Finding { subject, text: text.into(), verdict: Verdict::Well }
    }

    /// It works, and there is something to know.
    pub(super) fn note(subject: &'static str, text: impl Into<String>) -> Self {
        Finding { subject, text: text.into(), verdict: Verdict::Note }
    }

    /// Something is wrong, and has a cure.
    pub(super) fn wrong(subject: &'static str, text: impl Into<String>, fault: Fault) -> Self {
        Finding { subject, text: text.into(), verdict: Verdict::Wrong(fault) }
    }
}

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    front: Target,
    proxy: Proxy,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(front: Target, proxy: Proxy, findings: Vec<Finding>) -> Self {
        Report { front, proxy, findings }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.findings.iter().any(|finding| matches!(finding.verdict, Verdict::Wrong(_)))
    }
}

impl fmt::Display for Report {
    /// One line for each thing, and below what is wrong what to do. What comes from the server has
    /// no controls in it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}{}", self.front.origin(), self.front.path())?;
        for Finding { subject, text, verdict } in &self.findings {
            let word = match verdict {
                Verdict::Well => "ok",
                Verdict::Note => "note",
                Verdict::Wrong(_) => "WRONG",
            };
            let text = text.replace(char::is_control, "\u{fffd}");
            writeln!(out, "  {word:5}  {subject:9}  {text}")?;
            if let Verdict::Wrong(fault) = verdict {
                for line in advice(fault, &self.proxy, &self.front) {
                    writeln!(
                        out,
                        "                    {}",
                        line.replace(char::is_control, "\u{fffd}")
                    )?;
                }
            }
        }
        let end = if self.is_well() { "all is well" } else { "something is wrong" };
        writeln!(out, "{end}")
    }
}
