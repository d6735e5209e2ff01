//! WebSocket: one client's `tailcast.v1` connection. Lines, commands and heartbeats meet in one
//! `select!`; slow work (opening a history, a page of older lines) is a future beside it, so that
//! nothing waits for anything else. Everything held for the client is in [`Session`], and is
//! released when that is dropped.

pub mod closing;
pub mod command;
pub mod connection;
pub mod farewell;
pub mod outbox;
pub mod session;
pub mod session_config;

pub use crate::websocket::session::Session;
pub use crate::websocket::session_config::SessionConfig;
