//! Older: a page of the lines before a position, for clients without a WebSocket.

use std::sync::Arc;

use bytes::Bytes;
use rocket::http::Status;

use crate::cursor::Cursor;
use crate::filter::Filter;
use crate::follower::{Allowance, wait};
use crate::http::app_state::AppState;
use crate::http::problem::Problem;
use crate::source::{OpenError, Source};
use crate::wire::text::TextOptions;
use crate::wire::{Format, page};

/// Reads the page and writes it as a stream that ends.
pub async fn page_before(
    source: &Arc<dyn Source>,
    before: Cursor,
    filter: Filter,
    n_lines: usize,
    format: Format,
    options: TextOptions,
    app: &AppState,
) -> Result<Bytes, Problem> {
    if matches!(format, Format::Sse | Format::Raw) {
        let detail = "a page of older lines is available as text or ndjson";
        return Err(Problem::new(Status::NotAcceptable, detail));
    }
    let (mut position, mut left, mut parts, mut n_bytes) = (before, n_lines, Vec::new(), 0);
    let (mut is_begin, allowance) = (false, Arc::<Allowance>::default());
    while left > 0 && !is_begin && n_bytes < MAX_BYTES {
        let (own, allowance) = (Arc::clone(source), Arc::clone(&allowance));
        let reading = wait::older(own, position, filter.clone(), left, allowance);
        let older = match reading.await {
            Ok(older) => older,
            Err(OpenError::TooExpensive(_)) if position != before => break,
            Err(error @ OpenError::OtherSource(_)) => {
                return Err(Problem::parameter("before", &error));
            }
            Err(error @ (OpenError::TooExpensive(_) | OpenError::Unreadable { .. })) => {
                return Err(Problem::of_opening(&error));
            }
        };
        let (lines, n_read) =
            page::lines(format, source.name().as_str(), &older, options, &app.zone);
        left = left.saturating_sub(n_read);
        n_bytes += lines.len();
        parts.push(lines);
        is_begin = older.begin;
        match page::cursor_of(&older.start) {
            Some(start) if start != position => position = start,
            // The allowance does not reach further back.
            Some(_) | None => break,
        }
    }
    let mut body = page::head(format, source.name().as_str(), &position, is_begin);
    parts.iter().rev().for_each(|part| body.extend_from_slice(part));
    body.extend_from_slice(&page::foot(format, source.name().as_str(), &before));
    Ok(Bytes::from(body))
}

/// A page stops growing here.
const MAX_BYTES: usize = 4 << 20;
