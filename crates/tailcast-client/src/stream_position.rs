//! Stream position: how far each source of a stream was read, and so where to resume.

use tailcast_core::cursor::{MAX_SET, SET_SEPARATOR};

use crate::event::{Event, Start};
use crate::record::Batch;

/// The position of a stream: a cursor for each of its sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// Each source's name and its cursor: first those that the stream began with.
    sources: Vec<(String, String)>,
    n_begun: usize,
    is_unresumable: bool,
}

impl StreamPosition {
    /// For [`crate::Query::from`]; `None` if nothing is known, or there are more sources than a
    /// stream can resume.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        if self.is_unresumable || self.sources.is_empty() || self.sources.len() > MAX_SET {
            return None;
        }
        let cursors: Vec<&str> = self.sources.iter().map(|(_, cursor)| cursor.as_str()).collect();
        Some(cursors.join(&SET_SEPARATOR.to_string()))
    }

    /// Advances by an event; by all of its lines.
    pub fn advance(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.begin(start),
            Event::Lines(batch) => self.advance_lines(batch, batch.len()),
            Event::Gap(gap) => self.set_named(&gap.source, gap.cursor.as_deref()),
            Event::Rotated(rotated) => self.set_named(&rotated.source, rotated.cursor.as_deref()),
            Event::Heartbeat(heartbeat) => self.set_all(heartbeat.cursor.as_deref()),
            Event::End(end) => self.set_all(end.cursor.as_deref()),
            Event::Reconnecting(_) | Event::Resumed(_) | Event::FallenBack(_) => {}
        }
    }

    /// Advances by the first lines of a batch.
    pub fn advance_lines(&mut self, batch: &Batch, n_lines: usize) {
        let mut records = batch.records().take(n_lines).peekable();
        while let Some(record) = records.next() {
            let is_last =
                records.peek().is_none_or(|next| next.raw_source() != record.raw_source());
            if is_last {
                self.set(&record.source(), &record.cursor());
            }
        }
    }

    /// Removes all other sources.
    pub(crate) fn retain(&mut self, names: &[String]) {
        self.sources.retain(|(name, _)| names.contains(name));
        self.n_begun = 0;
    }

    /// The number of known sources.
    pub(crate) fn n_sources(&self) -> usize {
        self.sources.len()
    }

    fn begin(&mut self, start: &Start) {
        self.is_unresumable = !start.is_resumable;
        let own = std::slice::from_ref(&start.source);
        let names = start.sources.as_deref().unwrap_or(own);
        let cursors: Vec<&str> =
            start.cursor.iter().flat_map(|set| set.split(SET_SEPARATOR)).collect();
        if names.len() == cursors.len() {
            let pairs = names.iter().zip(cursors);
            self.sources = pairs.map(|(name, cursor)| (name.clone(), cursor.to_owned())).collect();
            self.n_begun = self.sources.len();
        }
    }

    /// The set has the sources that the stream began with, and after them those that joined later,
    /// whose names are known only from their lines.
    fn set_all(&mut self, set: Option<&str>) {
        let cursors = set.into_iter().flat_map(|set| set.split(SET_SEPARATOR));
        for ((_, place), cursor) in self.sources.iter_mut().take(self.n_begun).zip(cursors) {
            cursor.clone_into(place);
        }
    }

    fn set_named(&mut self, name: &str, cursor: Option<&str>) {
        if let Some(cursor) = cursor {
            self.set(name, cursor);
        }
    }

    fn set(&mut self, name: &str, cursor: &str) {
        match self.sources.iter_mut().find(|(other, _)| other == name) {
            Some((_, place)) => cursor.clone_into(place),
            None => self.sources.push((name.to_owned(), cursor.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StreamPosition;
    use crate::record::{parse_lines, parse_message};

    fn position(lines: &str) -> StreamPosition {
        let mut position = StreamPosition::default();
        parse_lines(&lines.into()).unwrap().iter().for_each(|event| position.advance(event));
        position
    }

    #[test]
    fn the_place_is_after_the_last_line_of_each_source() {
        let mut position =
            position(r#"{"event":"start","source":"*","sources":["a","b\"c"],"cursor":"A0~B0"}"#);
        assert_eq!(position.cursor().as_deref(), Some("A0~B0"));
        let batch = r#"{"lines":[{"source":"b\"c","cursor":"B1","line":""},{"source":"a",
            "cursor":"A1","line":""},{"source":"a","cursor":"A2","line":""}]}"#;
        let event = parse_message(batch.into()).unwrap().unwrap();
        let crate::Event::Lines(lines) = &event else { panic!("{event:?}") };
        position.advance_lines(lines, 2);
        assert_eq!(position.cursor().as_deref(), Some("A1~B1"));
        position.advance(&event);
        assert_eq!(position.cursor().as_deref(), Some("A2~B1"));
    }

    #[test]
    fn a_source_that_joins_later_is_known_by_its_lines() {
        let position = position(
            r#"{"event":"start","source":"*","sources":["a"],"cursor":"A0"}
               {"source":"c","cursor":"C1","line":""}
               {"event":"heartbeat","source":"*","cursor":"A1~B1~C0","size":0,"modified":null,"behind":0}"#,
        );
        assert_eq!(position.cursor().as_deref(), Some("A1~C1"));
    }

    #[test]
    fn a_stream_that_is_too_wide_has_no_place() {
        let wide = position(r#"{"event":"start","source":"*","sources":["a"],"resumable":false}"#);
        assert_eq!(wide.cursor(), None);
        let sources: Vec<String> = (0..17).map(|n| format!("\"s{n}\"")).collect();
        let cursors: Vec<String> = (0..17).map(|n| format!("C{n}")).collect();
        let start = format!(
            r#"{{"event":"start","source":"*","sources":[{}],"cursor":"{}"}}"#,
            sources.join(","),
            cursors.join("~")
        );
        assert_eq!(position(&start).cursor(), None);
    }
}
