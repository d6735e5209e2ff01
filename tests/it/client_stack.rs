//! Connecting over TLS needs little stack: on workers with 256 KiB, in a debug build, 200 times and
//! again after idle spells (snapview/tokio-tungstenite#356). Beside it the naive way, awaited where
//! it is needed, and the figures of both.
