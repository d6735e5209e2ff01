//! Values in words: what was found, and what was expected.

use rocket::figment::value::Value;

/// What is expected of the value at `path`, in words.
pub(super) fn expectation(path: &[&str]) -> Option<&'static str> {
    Some(match path {
        ["address"] => "an IP address such as `127.0.0.1`",
        ["port"] => "a port, 0 to 65535",
        ["workers" | "max_blocking"] => "a number of threads, at least 1",
        ["keep_alive"] => "a number of seconds, 0 for none",
        ["limits"] => "a table of sizes",
        ["limits", ..] => "a size such as `\"2MiB\"`",
        ["temp_dir"] => "a path",
        ["tailcast"] => "a table",
        ["tailcast", "heartbeat"] => "a span from 1s to 5m, such as `\"15s\"`",
        ["tailcast", "linger"] => "a span from 0s to 10s, such as `\"3s\"`",
        ["tailcast", "stall_limit"] => "a span of at least 1s, such as `\"10m\"`, or `\"none\"`",
        ["tailcast", "max_viewers" | "max_viewers_per_address" | "max_viewers_per_user"] => {
            "a number of viewers, at least 1"
        }
        ["tailcast", "hosts"] => "a list of host names, such as `[\"logs.example.org\"]`",
        ["tailcast", "hosts", _] => "a host name without scheme, port and path",
        ["tailcast", "authentication"] => "`\"auto\"` or `\"required\"`",
        ["tailcast", "users_file" | "tokens_file"] => "the path of a file",
        ["tailcast", "session_lifetime"] => "a span from 1m to 30d, such as `\"12h\"`",
        ["tailcast", "trusted_proxies"] | ["tailcast", "header_login", "from"] => {
            "a list of addresses and networks, such as `[\"127.0.0.1\", \"10.0.0.0/8\"]`"
        }
        ["tailcast", "trusted_proxies", _] | ["tailcast", "header_login", "from", _] => {
            "an IP address or a network, such as `\"10.0.0.0/8\"`"
        }
        ["tailcast", "forwarded"] => "`\"x-forwarded\"` or `\"forwarded\"`",
        ["tailcast", "origins"] => "a list of origins, such as `[\"https://portal.example.org\"]`",
        ["tailcast", "origins", _] => "an origin: scheme, host and port, without a path",
        ["tailcast", "frame_ancestors"] => {
            "a list of origins, or `\"'self'\"`, or `\"'none'\"`, as in frame-ancestors"
        }
        ["tailcast", "frame_ancestors", _] => "an origin, `\"'self'\"` or `\"'none'\"`",
        ["tailcast", "max_connections_per_second" | "max_connections_per_address"] => {
            "a number of connections, at least 1"
        }
        ["tailcast", "header_login"] => {
            "a table with `from`, the addresses of the proxy, and perhaps `user` and `groups`"
        }
        ["tailcast", "header_login", "user" | "groups"] => "the name of a header",
        ["tailcast", "rule"] => "a list of tables, each headed `[[default.tailcast.rule]]`",
        ["tailcast", "rule", _] => {
            "a table with `users`, `groups` or `tokens`, and with `sources` or `metrics = true`"
        }
        ["tailcast", "rule", _, "sources"] => "a list of globs, such as `[\"nginx/*\"]`",
        ["tailcast", "rule", _, "sources", _] | ["tailcast", "redact", _, "sources"] => {
            "a glob of source names, such as `\"nginx/*\"`"
        }
        ["tailcast", "rule", _, "metrics"] => "`true`, or nothing",
        ["tailcast", "rule", _, _] => "a list of names",
        ["tailcast", "redact"] => "a list of tables, each headed `[[default.tailcast.redact]]`",
        ["tailcast", "redact", _] => "a table with `pattern`, and perhaps `sources`",
        ["tailcast", "redact", _, "pattern"] => {
            "a regular expression of at most 4 KiB, such as `'password=(\\S+)'`"
        }
        ["tailcast", "insecure"] => "`true` or `false`",
        ["tailcast", "source"] => "a list of tables, each headed `[[default.tailcast.source]]`",
        ["tailcast", "source", _] => "a table with `name` and `paths`",
        ["tailcast", "source", _, "name"] => {
            "a name such as `\"nginx\"` or `\"shop/api\"`, without `*?[]{}`, \
             control characters, empty parts, `.` and `..`"
        }
        ["tailcast", "source", _, "paths"] => {
            "a list of files, directories or globs, such as `[\"/var/log/nginx/*.log\"]`"
        }
        ["tailcast", "source", _, "paths", _] => "the path of a file or directory, or a glob",
        ["tailcast", "source", _, "olddir"] => "the path of a directory",
        _ => return None,
    })
}

/// A value as its user would write it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Char(_, char) => format!("{char:?}"),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => {
            let whole = number.to_u128().map(|number| number.to_string());
            let signed = || number.to_i128().map(|number| number.to_string());
            let float = || number.to_f64().map(|number| number.to_string());
            whole.or_else(signed).or_else(float).unwrap_or_else(|| "a number".to_owned())
        }
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) => "a table".to_owned(),
        Value::Array(_, items) => {
            let items: Vec<_> = items.iter().map(describe).collect();
            format!("[{}]", items.join(", "))
        }
    }
}
