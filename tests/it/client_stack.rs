//! Connecting over TLS needs little stack: on workers with 256 KiB, in a debug build, 200 times and
//! again after idle spells (snapview/tokio-tungstenite#356). Beside it the naive way, awaited where
//! it is needed, and the figures of both. Whoever overflows its stack ends its process, so each
//! trial is a process of its own: this test binary again, in a role.

use std::mem::size_of_val;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tailcast_client::{Client, Event, Options, Query, Trust};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::support::{Identity, LogFolder, Proxy, TestServer};

#[test]
fn connecting_needs_little_stack() {
    let (folder, mut log) = LogFolder::with_log("app.log");
    log.number(1);
    let server = TestServer::serving(log.path());
    let identity = Identity::new();
    let proxy = Proxy::encrypting(server.address(), &identity);
    folder.write("ca.pem", &identity.pem);
    let url = format!("wss://localhost:{}/logs/app.log", proxy.address().port());
    let ca = folder.join("ca.pem").to_str().unwrap().to_owned();
    let trial = |role: &str, stack_kib: usize| {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["client_stack::a_trial", "--exact", "--nocapture"])
            .env(ROLE, format!("{role} {stack_kib} {url} {ca}"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        (status.status, text)
    };
    let (status, text) = trial("many", STACK_KIB);
    assert!(status.success(), "on {STACK_KIB} KiB: {status:?}\n{text}");
    told(&text).for_each(|line| eprintln!("{line}"));
    let smallest = |role| {
        let is_enough = |stack_kib: &&usize| ExitStatus::success(&trial(role, **stack_kib).0);
        let found = STACKS_KIB.iter().take_while(is_enough).last();
        found.map_or_else(|| "more than 1024".to_owned(), ToString::to_string)
    };
    let (ours, naive) = (smallest("once"), smallest("naive"));
    eprintln!(
        "smallest stack of a worker that is enough, debug build: ours {ours} KiB, naive {naive} KiB"
    );
    let (status, text) = trial("sizes", STACK_KIB);
    assert!(status.success(), "{text}");
    told(&text).for_each(|line| eprintln!("{line}"));
    assert!(ours.parse::<usize>().is_ok_and(|kib| kib <= STACK_KIB), "ours needs {ours} KiB");
}

fn told(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix(TOLD))
}

/// Not a test by itself: what a trial does, in the process that [`connecting_needs_little_stack`]
/// starts for it. Without a role it has nothing to do.
#[test]
fn a_trial() {
    let Ok(order) = std::env::var(ROLE) else { return };
    let words: Vec<String> = order.split(' ').map(str::to_owned).collect();
    let [role, stack_kib, url, ca] = words.try_into().unwrap();
    let runtime = workers(stack_kib.parse().unwrap());
    let pem = std::fs::read(ca).unwrap();
    // On a worker: the thread of the test has a larger stack.
    let mut tasks = tokio::task::JoinSet::new();
    match role.as_str() {
        "many" => tasks.spawn_on(async move { many(&url, &pem).await }, runtime.handle()),
        "once" => tasks.spawn_on(async move { ours(&url, &pem).await }, runtime.handle()),
        "naive" => tasks.spawn_on(async move { naive(&url, &pem).await }, runtime.handle()),
        "sizes" => tasks.spawn_on(async move { sizes(&url, &pem) }, runtime.handle()),
        other => panic!("no role {other}"),
    };
    runtime.block_on(tasks.join_next()).unwrap().unwrap();
}

fn workers(stack_kib: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).thread_stack_size(stack_kib * 1024).enable_all().build().unwrap()
}

#[expect(clippy::print_stdout, reason = "its figures are heard by who started it")]
fn tell(words: &str) {
    println!("{TOLD}{words}");
}

/// Connects 200 times, and again after each of three idle spells.
async fn many(url: &str, pem: &[u8]) {
    for _ in 0..200 {
        ours(url, pem).await;
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        ours(url, pem).await;
    }
    tell(&format!(
        "203 connects over TLS on workers with {STACK_KIB} KiB, 3 of them after 2 s idle"
    ));
}

/// Connects as the client does, and takes the first line.
async fn ours(url: &str, pem: &[u8]) {
    let client = Client::new(Options::default().trust(Trust::only(pem).unwrap()));
    let mut follow = client.follow(url, Query::new()).unwrap();
    loop {
        match follow.next().await.unwrap() {
            Some(Event::Lines(_)) => return,
            Some(Event::Reconnecting(lost)) => panic!("{lost:?}"),
            Some(Event::FallenBack(fallen)) => panic!("{fallen:?}"),
            Some(_) => {}
            None => panic!("it has ended"),
        }
    }
}

/// Connects where it is needed: all of it becomes a part of the caller's future, and is polled at
/// the end of the caller's stack.
async fn naive(url: &str, pem: &[u8]) {
    let request = url.into_client_request().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates([CertificateDer::from_pem_slice(pem).unwrap()]);
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let port = request.uri().port_u16().unwrap();
    let socket = TcpStream::connect(("localhost", port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let socket = connector.connect(name, socket).await.unwrap();
    let (_socket, _answer) = client_async(request, socket).await.unwrap();
}

/// How much each way adds to the future of who calls it.
fn sizes(url: &str, pem: &[u8]) {
    let client = Client::new(Options::default());
    let mut follow = client.follow(url, Query::new()).unwrap();
    let (next, inline) = (size_of_val(&follow.next()), size_of_val(&naive(url, pem)));
    tell(&format!("added to the caller's future: ours {next} bytes, naive {inline} bytes"));
}

const TOLD: &str = "told: ";
const ROLE: &str = "TAILCAST_STACK_TRIAL";
const STACK_KIB: usize = 256;

/// From enough for anybody down to too little for anybody.
const STACKS_KIB: [usize; 10] = [1024, 512, 256, 192, 128, 96, 64, 48, 32, 16];
