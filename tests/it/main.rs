//! Whole-system tests: the real program on a free port, real files, real sockets. One module per
//! guarantee or area; a test's name is the sentence that it holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::format_collect,
    clippy::similar_names,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "a failed fixture is a failed test"
)]

mod architecture;
mod auth_basic;
mod auth_certificate;
mod auth_fixture;
mod auth_guessing;
mod auth_header;
mod auth_login;
mod auth_socket;
mod backpressure;
mod blocking_reads;
mod book;
mod catalog;
mod cli;
mod client_connection;
mod client_fallback;
mod client_kills;
mod client_library;
mod client_stack;
mod connection_limits;
mod damaged_archives;
mod deployed_service;
mod edge_holes;
mod edge_identity;
mod edge_late;
mod edge_resume;
mod errors;
mod far_behind;
mod faults;
mod follow_command;
mod follow_output;
mod follow_text;
mod foreign;
mod formats;
mod globs;
mod headers;
mod host;
mod hostile_patterns;
mod limits;
mod lists;
mod log_lines;
mod mutations;
mod process;
mod proxies;
mod query;
mod redaction;
mod release;
mod released;
mod resume;
mod resume_rotated;
mod rotation;
mod rotation_backup;
mod rotation_fixture;
mod rsyslog;
mod rules;
mod secrets;
mod several;
mod shutdown;
mod slow_patterns;
mod slow_searches;
mod slow_senders;
mod source_events;
mod stalled_memory;
mod stalls;
mod steady_writer;
mod stopped;
mod support;
mod truncation;
mod unfinished_heads;
mod vanished;
mod watches;
mod websocket;
mod websocket_close;
mod websocket_commands;
