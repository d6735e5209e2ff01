//! Behind nginx, Caddy, HAProxy and Apache: the real programs, with the files of `deploy/`, and with
//! what people write on a first try.

mod certificate;
mod check_url;
mod delivery;
mod forwarded;
mod front;
mod idle;
mod login;
mod pages;
mod program;
mod resume;
mod site;
mod websocket;

pub use self::front::Front;
pub use self::program::Program;
pub use self::site::Site;
use crate::support::{LogFolder, Options, TestServer};

/// A server as `deploy/README.md` has it behind a proxy.
#[track_caller]
pub fn serve(folder: &LogFolder) -> TestServer {
    let known = r#"hosts = ["logs.example.org", "www.example.org"]"#;
    let trusted = r#"trusted_proxies = ["127.0.0.1"]"#;
    let config = format!("[default.tailcast]\n{known}\n{trusted}\n");
    Options::serving([folder.path()]).config(&config).start()
}

/// Makes one test of each sentence for each program.
macro_rules! for_each_program {
    ($($sentence:ident),+ $(,)?) => {
        for_each_program!(@ nginx Nginx: $($sentence)+);
        for_each_program!(@ caddy Caddy: $($sentence)+);
        for_each_program!(@ haproxy Haproxy: $($sentence)+);
        for_each_program!(@ apache Apache: $($sentence)+);
    };
    (@ $module:ident $program:ident: $($sentence:ident)+) => {
        mod $module {
            $(#[test]
            fn $sentence() {
                super::$sentence($crate::proxies::Program::$program);
            })+
        }
    };
}
use for_each_program;
