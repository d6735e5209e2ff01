//! WebSocket: one client's `tailcast.v1` connection. Lines, commands and signs of life meet in one
//! `select!`; whatever takes time (opening a history, a page of older lines) is a future beside it,
//! so that nothing ever waits for anything else. All that the client holds is in [`Session`], and
//! is released when that is dropped.
//!
//! `session` is that `select!`, and its `commands` what is done about each; `command` parses them.
//! `connection` drives both directions in one poll and counts receipts; in `outbox` responses and heartbeats
//! overtake lines. `session_config` is what a connection keeps through all commands. `closing` has the
//! close codes and what errors mean, `farewell` makes sure that the close frame arrives.

pub mod closing;
pub mod command;
pub mod connection;
pub mod farewell;
pub mod outbox;
pub mod session;
pub mod session_config;

pub use crate::websocket::session::Session;
pub use crate::websocket::session_config::SessionConfig;
