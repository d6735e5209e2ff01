//! The sites: how a proxy is told to pass requests on to Tailcast. Those of `deploy/` are the very
//! files, with addresses and paths put in; the naive ones are what people write on a first try.

use std::fs;
use std::path::Path;

use super::program::Program;

/// A site's configuration, with places for what a test decides: `{listen}` (`{ip}`, `{port}`),
/// `{upstream}`, and the files `{certificate}`, `{key}` and `{both}`.
#[derive(Clone, Debug)]
pub struct Site {
    pub program: Program,
    pub text: String,
    /// The host that requests name; none is the proxy's address.
    pub host: Option<&'static str>,
    /// The path below which Tailcast is, without the slash at its end.
    pub prefix: &'static str,
    pub is_tls: bool,
}

impl Site {
    /// `deploy/PROGRAM/root.*`.
    pub fn deployed_at_root(program: Program) -> Self {
        Self::deployed(program, "root", "logs.example.org", "")
    }

    /// `deploy/PROGRAM/sub-path.*`.
    pub fn deployed_below_a_path(program: Program) -> Self {
        Self::deployed(program, "sub-path", "www.example.org", "/ops/logs")
    }

    /// `deploy/nginx/login.conf`, with the names and passwords of a file.
    pub fn with_login(names: &Path) -> Self {
        let mut site = Self::deployed(Program::Nginx, "login", "logs.example.org", "");
        let here = "/etc/nginx/logs.htpasswd";
        assert_eq!(site.text.matches(here).count(), 1, "{here} in login.conf");
        site.text = site.text.replace(here, names.to_str().unwrap());
        site
    }

    fn deployed(program: Program, name: &str, host: &'static str, prefix: &'static str) -> Self {
        let (file, places) = match program {
            Program::Nginx => (
                format!("nginx/{name}.conf"),
                vec![
                    ("listen 443".to_owned(), "listen {listen}"),
                    (format!("/etc/ssl/certs/{host}.pem"), "{certificate}"),
                    (format!("/etc/ssl/private/{host}.key"), "{key}"),
                ],
            ),
            // Caddy would ask the world for a certificate.
            Program::Caddy => (
                format!("caddy/{name}.Caddyfile"),
                vec![(
                    format!("\n{host} {{"),
                    "\n{host}:{port} {\n\tbind {ip}\n\ttls {certificate} {key}",
                )],
            ),
            Program::Haproxy => (
                format!("haproxy/{name}.cfg"),
                vec![
                    ("bind :443".to_owned(), "bind {listen}"),
                    (format!("/etc/haproxy/{host}.pem"), "{both}"),
                ],
            ),
            Program::Apache => (
                format!("apache/{name}.conf"),
                vec![
                    ("<VirtualHost *:443>".to_owned(), "Listen {listen}\n<VirtualHost {listen}>"),
                    (format!("/etc/ssl/certs/{host}.pem"), "{certificate}"),
                    (format!("/etc/ssl/private/{host}.key"), "{key}"),
                ],
            ),
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
        let mut text = fs::read_to_string(&path).unwrap();
        let upstream = ("127.0.0.1:8000".to_owned(), "{upstream}");
        for (here, there) in places.into_iter().chain([upstream]) {
            assert_eq!(text.matches(&here).count(), 1, "{here} in {}", path.display());
            text = text.replace(&here, &there.replace("{host}", host));
        }
        Site { program, text, host: Some(host), prefix, is_tls: true }
    }

    /// The shortest configuration that passes requests on.
    pub fn naive(program: Program) -> Self {
        Self::plain(
            program,
            match program {
                Program::Nginx => {
                    "server {\n listen {listen};\n location / { proxy_pass http://{upstream}; }\n}"
                }
                Program::Caddy => "http://{listen} {\n bind {ip}\n reverse_proxy {upstream}\n}",
                Program::Haproxy => {
                    "frontend logs\n bind {listen}\n default_backend tailcast\n\
                 backend tailcast\n server tailcast {upstream}"
                }
                Program::Apache => {
                    "Listen {listen}\n<VirtualHost {listen}>\n ProxyPass / http://{upstream}/\n\
                 </VirtualHost>"
                }
            },
        )
    }

    /// As the naive one, and it compresses whatever it is told to.
    pub fn compressing(program: Program) -> Self {
        Self::plain(
            program,
            match program {
                Program::Nginx => {
                    "server {\n listen {listen};\n gzip_proxied any; gzip_min_length 1;\n\
                 gzip_types text/plain text/event-stream application/x-ndjson;\n\
                 location / { proxy_pass http://{upstream}; }\n}"
                }
                Program::Caddy => {
                    "http://{listen} {\n bind {ip}\n encode {\n gzip\n minimum_length 1\n match {\n\
                 header Content-Type text/*\n header Content-Type application/x-ndjson*\n }\n }\n\
                 reverse_proxy {upstream}\n}"
                }
                Program::Haproxy => {
                    "frontend logs\n bind {listen}\n compression algo gzip\n\
                 compression type text/plain text/event-stream application/x-ndjson\n\
                 default_backend tailcast\nbackend tailcast\n server tailcast {upstream}"
                }
                Program::Apache => {
                    "Listen {listen}\n<VirtualHost {listen}>\n\
                 AddOutputFilterByType DEFLATE text/event-stream application/x-ndjson\n\
                 ProxyPass / http://{upstream}/\n</VirtualHost>"
                }
            },
        )
    }

    /// As the naive one, and it ends a connection on which nothing has passed for 3 s.
    pub fn impatient(program: Program) -> Self {
        let naive = Self::naive(program);
        let (here, there) = match program {
            Program::Nginx => ("location", "proxy_read_timeout 3s; send_timeout 3s;\n location"),
            // Caddy has no such limit.
            Program::Caddy => return naive,
            Program::Haproxy => (" bind", " timeout client 3s\n timeout server 3s\n bind"),
            Program::Apache => ("ProxyPass", "Timeout 3\n ProxyPass"),
        };
        let text = naive.text.replacen(here, there, 1);
        // A frontend has no limit for the server's side.
        let text = text.replace(" timeout server 3s\n", "");
        let text = text.replace(" server tailcast", " timeout server 3s\n server tailcast");
        Site { text, ..naive }
    }

    /// A site without TLS, told by its text.
    pub fn plain(program: Program, text: &str) -> Self {
        Site { program, text: text.to_owned(), host: None, prefix: "", is_tls: false }
    }
}
