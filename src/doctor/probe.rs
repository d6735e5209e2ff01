//! Probe: the server's front page and how to ask there: each request over a connection of its own,
//! as a proxy may treat them differently.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tailcast_client::{ConnectError, Options, Seconds, Socket, Target, Tls, USER_AGENT, connect};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

/// A server's front page, and what every request to it carries.
#[derive(Debug)]
pub(super) struct Probe {
    front: Target,
    headers: HeaderMap,
    tls: Tls,
}

/// An answer, whatever its status; its body is still to come.
#[derive(Debug)]
pub(super) struct ProbeResponse {
    pub(super) response: Response<Incoming>,
    /// From the request to the answer's head.
    pub(super) took: Duration,
    /// When the head had come.
    pub(super) at: Instant,
    /// The task that drives the connection; ends when this is dropped.
    driver: JoinSet<()>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("no request can be made of this: {0}")]
    Request(#[from] http::Error),
    #[error("the connection was closed before an answer: {0}")]
    Broken(#[from] hyper::Error),
    #[error("nothing came for {}, not even the head of an answer", Seconds(*.0))]
    Silent(Duration),
}

impl Probe {
    pub(super) fn new(front: Target, options: Options) -> Self {
        let (headers, trust) = options.into_headers_and_trust();
        Probe { front, headers, tls: Tls::new(trust) }
    }

    /// The front page.
    pub(super) fn front(&self) -> &Target {
        &self.front
    }

    /// The origin of a page of this server, as a browser names it.
    pub(super) fn origin(&self) -> String {
        let host = self.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let scheme = if self.front.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", host.unwrap_or(self.front.authority()))
    }

    /// A fresh connection.
    pub(super) async fn connect(&self) -> Result<Socket, ConnectError> {
        connect(&self.front, &self.tls).await
    }

    /// Asks for what lies below the front page: `path` as it is sent, with its query.
    pub(super) async fn ask(
        &self,
        path: &str,
        headers: &[(HeaderName, &str)],
    ) -> Result<ProbeResponse, AskError> {
        let socket = self.connect().await?;
        let uri = format!("{}{path}", self.front.path());
        let mut request = Request::builder().uri(uri).body(Empty::<Bytes>::new())?;
        let own = request.headers_mut();
        let value = |text: &str| HeaderValue::from_str(text).map_err(http::Error::from);
        own.insert(header::HOST, value(self.front.authority())?);
        own.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        own.extend(self.headers.clone());
        for (name, text) in headers {
            own.insert(name, value(text)?);
        }
        let started = Instant::now();
        let ask = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
            let mut driver = JoinSet::new();
            driver.spawn(async move {
                // The reader of the body gets the error as well, and reports it.
                if let Err(error) = connection.with_upgrades().await {
                    tracing::debug!(%error, "a connection has broken");
                }
            });
            let response = sender.send_request(request).await?;
            Ok::<_, AskError>((response, driver))
        };
        let answer = timeout(HEAD_LIMIT, ask).await;
        let (response, driver) = answer.map_err(|_elapsed| AskError::Silent(HEAD_LIMIT))??;
        Ok(ProbeResponse { response, took: started.elapsed(), at: Instant::now(), driver })
    }

    /// The protocol that a browser would speak here, as the server chooses it; none without TLS.
    pub(super) async fn protocol(&self) -> Option<String> {
        if !self.front.is_tls() {
            return None;
        }
        // A server that does not answer now has done so before; what it offers is no finding then.
        let chosen = timeout(HEAD_LIMIT, self.negotiate()).await;
        chosen.ok()?.ok()
    }

    async fn negotiate(&self) -> anyhow::Result<String> {
        let connector = self.tls.connector().await?;
        let mut config = ClientConfig::clone(connector.config());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let connector = TlsConnector::from(std::sync::Arc::new(config));
        let socket = TcpStream::connect((self.front.host(), self.front.port())).await?;
        let name = ServerName::try_from(self.front.host().to_owned())?;
        let stream = connector.connect(name, socket).await?;
        let chosen = stream.get_ref().1.alpn_protocol().unwrap_or(b"http/1.1");
        Ok(String::from_utf8_lossy(chosen).into_owned())
    }
}

impl ProbeResponse {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header's value, empty if it is not there or no text.
    pub(super) fn header(&self, name: HeaderName) -> &str {
        let value = self.response.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The answer, and what moves its bytes as long as it lives.
    pub(super) fn into_parts(self) -> (Response<Incoming>, JoinSet<()>) {
        (self.response, self.driver)
    }

    /// Reads the body to its end, up to `max_bytes`; what went wrong in words.
    pub(super) async fn text(self, max_bytes: usize) -> Result<String, String> {
        let body = Limited::new(self.response.into_body(), max_bytes).collect();
        let body =
            timeout(HEAD_LIMIT, body).await.map_err(|_elapsed| "it does not end".to_owned())?;
        let body = body.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }
}

/// How long the head of an answer may take. A server says it at once; a proxy that holds a stream
/// back keeps even that.
const HEAD_LIMIT: Duration = Duration::from_secs(6);
