//! Tailcast: a streaming log server. It follows the log files of a host and streams every new line,
//! while it is being written, to whoever looks: every line, once, in order.
//!
//! The modules, in reading order:
//!
//! * [`cursor`], [`line`](mod@line), [`redact`], [`when`], [`glob`]: the words. A place as a token; what a line tells; what
//!   is masked of it; a time asked for; a pattern of names.
//! * [`disk`]: where blocking calls run.
//! * [`chunk`], [`history`], [`feed`]: whole lines that are shared; reading forward; the live end.
//! * [`filter`], [`source`], [`follower`]: which lines; one log with its two ends; one viewer's way.
//! * [`file`](mod@file), [`catalog`]: logs that are files; all logs by name.
//! * [`auth`]: who asks, and what they may read.
//! * [`wire`], [`ledger`], [`websocket`], [`http`]: bytes in each format; what a viewer got; full
//!   duplex; the routes.
//! * [`client`]: the other end, from anywhere.
//! * [`config`], [`cli`], [`follow`], [`ls`], [`outside`]: what is typed and configured; the commands
//!   that ask a server.
//! * [`demo`], [`metrics`], [`shutdown`], [`listener`], [`server`], [`check`]: what a process needs
//!   besides.

pub mod auth;
pub mod catalog;
pub mod check;
pub mod chunk;
pub mod cli;
pub mod client;
pub mod config;
pub mod cursor;
pub mod demo;
pub mod disk;
pub mod feed;
pub mod file;
pub mod filter;
pub mod follow;
pub mod follower;
pub mod glob;
pub mod history;
pub mod http;
pub mod ledger;
pub mod line;
pub mod listener;
pub mod ls;
pub mod metrics;
pub mod outside;
pub mod redact;
pub mod server;
pub mod shutdown;
pub mod source;
pub mod websocket;
pub mod when;
pub mod wire;
