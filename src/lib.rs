//! Tailcast: a streaming log server. It follows the log files of a host and streams every new line,
//! while it is being written, to its viewers: every line, once, in order.
//!
//! The modules, in reading order:
//!
//! * [`cursor`] (from `tailcast-core`), [`line`](mod@line), [`redact`], [`glob`]: a position as a token;
//!   what a line states; what is masked of it; a pattern of names.
//! * [`disk`]: where blocking calls run.
//! * [`chunk`], [`history`], [`feed`]: whole lines that are shared; reading forward; the live end.
//! * [`filter`], [`source`], [`follower`]: which lines; one log with its two ends; one viewer's stream.
//! * [`file`](mod@file), [`catalog`]: logs that are files; all logs by name.
//! * [`auth`]: authentication, and which sources a user or token may read.
//! * [`wire`], [`viewer_log`], [`websocket`], [`listener`], [`http`]: bytes in each format; the access
//!   log; full duplex; connections as they are accepted; the routes.
//! * [`config`], [`cli`], [`follow`], [`ls`], [`doctor`]: arguments and configuration; the commands
//!   that are clients of a server.
//! * [`demo`], [`metrics`], [`logging`], [`shutdown`], [`server`], [`check`]: what a process needs
//!   besides.

pub use tailcast_core::cursor;

pub mod auth;
pub mod catalog;
pub mod check;
pub mod chunk;
pub mod cli;
pub mod config;
pub mod demo;
pub mod disk;
pub mod doctor;
pub mod feed;
pub mod file;
pub mod filter;
pub mod follow;
pub mod follower;
pub mod glob;
pub mod history;
pub mod http;
pub mod line;
pub mod listener;
pub mod logging;
pub mod ls;
pub mod metrics;
pub mod redact;
pub mod server;
pub mod shutdown;
pub mod source;
pub mod viewer_log;
pub mod websocket;
pub mod wire;
