//! Query: what to see of a log, in the parameters of the server's URL.

use std::time::Duration;

use crate::target;

/// What to see of a log. Each value overrides the one in the URL; what is left out stays as the URL
/// has it, or as the server does by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// No overrides.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last `n_lines` lines that pass the filters, and what comes after them.
    #[must_use]
    pub fn tail(self, n_lines: u64) -> Self {
        self.set(TAIL, &n_lines.to_string())
    }

    /// All lines there are, and what comes after them.
    #[must_use]
    pub fn all(self) -> Self {
        self.set(TAIL, "all")
    }

    /// Lines from this time on: RFC 3339, a date, or a span back from now such as `5m`.
    #[must_use]
    pub fn since(self, time: &str) -> Self {
        self.set(SINCE, time)
    }

    /// Lines up to this time; ends when the clock passes it.
    #[must_use]
    pub fn until(self, time: &str) -> Self {
        self.set("until", time)
    }

    /// Lines that match this regular expression.
    #[must_use]
    pub fn grep(self, pattern: &str) -> Self {
        self.set("grep", pattern)
    }

    /// Lines that do not match this regular expression.
    #[must_use]
    pub fn exclude(self, pattern: &str) -> Self {
        self.set("exclude", pattern)
    }

    /// Lines of this level (`trace` to `fatal`) and above.
    #[must_use]
    pub fn level(self, level: &str) -> Self {
        self.set("level", level)
    }

    /// The lines after this cursor; in place of `tail` and `since`.
    #[must_use]
    pub fn from(self, cursor: &str) -> Self {
        self.without(BEGINNINGS).set(FROM, cursor)
    }

    /// Whether to stay for what is written later.
    #[must_use]
    pub fn follow(self, follow: bool) -> Self {
        self.set("follow", if follow { "true" } else { "false" })
    }

    /// The server's heartbeat interval, from 1 s to 5 min.
    #[must_use]
    pub fn heartbeat(self, span: Duration) -> Self {
        self.set(HEARTBEAT, &format!("{}ms", span.as_millis()))
    }

    /// This query merged over a URL's parameters. The format is the client's own choice, and
    /// options for text have no meaning for it.
    pub(crate) fn over(&self, url: &[(String, String)]) -> Self {
        let mut whole = Query { pairs: url.to_vec() }.without(&["format", "timestamps", "color"]);
        if self.get(FROM).is_some() {
            whole = whole.without(BEGINNINGS);
        }
        if self.get(TAIL).is_some() || self.get(SINCE).is_some() {
            whole = whole.without(&[FROM, LAST_EVENT_ID]);
        }
        for (name, value) in &self.pairs {
            whole = whole.set(name, value);
        }
        whole
    }

    /// The same from another position on.
    pub(crate) fn resumed(&self, from: &str) -> Self {
        self.clone().from(from)
    }

    /// The same without any past line.
    pub(crate) fn without_past(&self) -> Self {
        self.clone().without(BEGINNINGS).tail(0)
    }

    /// The requested heartbeat, as it was written.
    pub(crate) fn heartbeat_text(&self) -> Option<&str> {
        self.get(HEARTBEAT)
    }

    /// As it is sent.
    pub(crate) fn encoded(&self) -> String {
        target::encode(&self.pairs)
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        match self.pairs.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn without(mut self, names: &[&str]) -> Self {
        self.pairs.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }
}

const TAIL: &str = "tail";
const SINCE: &str = "since";
const FROM: &str = "from";
const LAST_EVENT_ID: &str = "last_event_id";
const HEARTBEAT: &str = "heartbeat";

/// The parameters that say where to begin.
const BEGINNINGS: &[&str] = &[TAIL, SINCE, FROM, LAST_EVENT_ID];

#[cfg(test)]
mod tests {
    use super::Query;

    fn url(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flags_beat_the_url_and_keep_the_rest_of_it() {
        let url = url(&[("tail", "5"), ("grep", "x"), ("format", "text"), ("level", "warn")]);
        let whole = Query::new().tail(7).level("error").over(&url);
        assert_eq!(whole.encoded(), "tail=7&grep=x&level=error");
    }

    #[test]
    fn one_beginning_takes_the_place_of_another() {
        let pairs = url(&[("tail", "5"), ("since", "5m"), ("until", "1m")]);
        assert_eq!(Query::new().from("abc").over(&pairs).encoded(), "until=1m&from=abc");
        let pairs = url(&[("from", "abc"), ("grep", "x")]);
        assert_eq!(Query::new().tail(3).over(&pairs).encoded(), "grep=x&tail=3");
        let query = Query::new().tail(3).since("5m").grep("a b");
        assert_eq!(query.resumed("a~b").encoded(), "grep=a%20b&from=a~b");
        assert_eq!(query.without_past().encoded(), "grep=a%20b&tail=0");
    }
}
