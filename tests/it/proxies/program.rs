//! The proxies: how each program is started, reloaded, and told what it needs beside a site's
//! configuration. What surrounds a site is what Debian installs, as far as it touches a stream.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

/// A reverse proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
}

/// What a program has to be told of where it runs.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The folder it may write to.
    pub folder: &'a Path,
    /// Where it answers with `generation` and nothing else.
    pub status: SocketAddr,
    /// Which configuration this is.
    pub generation: usize,
}

impl Program {
    /// The file of the program.
    #[track_caller]
    pub fn file(self) -> PathBuf {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Apache => "apache2",
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
        let mut files = folders.map(|folder| folder.join(name));
        let file = files.find(|file| file.is_file());
        file.unwrap_or_else(|| panic!("`{name}` is not installed; tests/run installs it"))
    }

    /// The arguments with which it stays in the foreground.
    pub fn arguments(self, config: &Path) -> Vec<OsString> {
        let config = config.as_os_str().to_owned();
        let folder = || Path::new(&config).parent().unwrap().as_os_str().to_owned();
        match self {
            Self::Nginx => vec!["-p".into(), folder(), "-c".into(), config],
            Self::Caddy => {
                vec![
                    "run".into(),
                    "--adapter".into(),
                    "caddyfile".into(),
                    "--config".into(),
                    config,
                ]
            }
            Self::Haproxy => vec!["-W".into(), "-f".into(), config],
            Self::Apache => vec!["-DFOREGROUND".into(), "-f".into(), config],
        }
    }

    /// The signal that makes it read its configuration again; Caddy is asked in another way.
    pub fn reload_signal(self) -> Option<Signal> {
        match self {
            Self::Nginx => Some(Signal::HUP),
            Self::Caddy => None,
            Self::Haproxy => Some(Signal::USR2),
            Self::Apache => Some(Signal::USR1),
        }
    }

    /// The command that makes Caddy read its configuration again.
    pub fn reload_command(self, config: &Path) -> Command {
        let mut command = Command::new(self.file());
        let address = format!("unix/{}", config.with_file_name("admin.sock").display());
        command.args(["reload", "--force", "--adapter", "caddyfile", "--address", &address]);
        command.arg("--config").arg(config);
        command
    }

    /// The whole configuration around one or more sites.
    pub fn around(self, sites: &str, at: &Surroundings<'_>) -> String {
        match self {
            Self::Nginx => around_nginx(sites, at),
            Self::Caddy => around_caddy(sites, at),
            Self::Haproxy => around_haproxy(sites, at),
            Self::Apache => around_apache(sites, at),
        }
    }
}

fn around_nginx(sites: &str, at: &Surroundings<'_>) -> String {
    let Surroundings { folder, status, generation } = at;
    let folder = folder.display();
    format!(
        "daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    sendfile on; tcp_nopush on; gzip on; access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen {status}; return 200 \"{generation}\"; }}
{sites}
}}
"
    )
}

fn around_caddy(sites: &str, at: &Surroundings<'_>) -> String {
    let Surroundings { folder, status, generation } = at;
    let (folder, ip) = (folder.display(), status.ip());
    format!(
        "{{
	admin unix/{folder}/admin.sock
	auto_https disable_redirects
	skip_install_trust
	storage file_system {folder}
}}
http://{status} {{
	bind {ip}
	respond \"{generation}\"
}}
{sites}
"
    )
}

fn around_haproxy(sites: &str, at: &Surroundings<'_>) -> String {
    let Surroundings { folder: _, status, generation } = at;
    format!(
        "global
    maxconn 1000
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
frontend generation
    bind {status}
    http-request return status 200 content-type text/plain string {generation}
{sites}
"
    )
}

fn around_apache(sites: &str, at: &Surroundings<'_>) -> String {
    let Surroundings { folder, status, generation } = at;
    let folder = folder.display();
    let modules: String = APACHE_MODULES
        .iter()
        .map(|name| format!("LoadModule {name}_module {APACHE_FOLDER}/mod_{name}.so\n"))
        .collect();
    // Apache has to be told each address it listens on; the sites' own are told by them.
    format!(
        "ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog {folder}/errors
ServerName localhost
Listen {status}
{modules}
Timeout 300
KeepAlive On
KeepAliveTimeout 5
RequestReadTimeout header=20-40,minrate=500
RequestReadTimeout body=10,minrate=500
AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css application/javascript
<VirtualHost {status}>
    Redirect 410 /
    ErrorDocument 410 \"{generation}\"
</VirtualHost>
{sites}
"
    )
}

/// What Debian enables and touches a stream, and what `deploy/apache` asks for.
const APACHE_MODULES: &[&str] = &[
    "mpm_event",
    "authz_core",
    "alias",
    "filter",
    "deflate",
    "reqtimeout",
    "headers",
    "http2",
    "ssl",
    "proxy",
    "proxy_http",
];
const APACHE_FOLDER: &str = "/usr/lib/apache2/modules";
