//! How an authority is asked: HTTPS, a connection for each request, which are few.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(30);

type Failure = Box<dyn StdError + Send + Sync>;

/// A client that believes some authorities.
pub(crate) struct Https(TlsConnector);

impl Https {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self(TlsConnector::from(Arc::new(config)))
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let connector = self.0.clone();
        let uri = request.uri().clone();
        Box::pin(async move {
            let asked = timeout(LONGEST, ask(connector, request)).await;
            let asked = asked.unwrap_or_else(|_| Err("no answer came in time".into()));
            match asked {
                Ok(response) => Ok(BytesResponse::from(response)),
                Err(error) => Err(Error::Other(format!("{uri} cannot be asked: {}", told(&*error)).into())),
            }
        })
    }
}

/// An error with those that led to it.
fn told(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let more = one.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = one.source();
    }
    text
}

async fn ask(connector: TlsConnector, mut request: Request<BodyWrapper<Bytes>>) -> Result<Response<Incoming>, Failure> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("https") {
        return Err("it is no address with https".into());
    }
    let host = uri.host().ok_or("it names no host")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, uri.port_u16().unwrap_or(443))).await?;
    let name = ServerName::try_from(bare.to_owned())?;
    let stream = connector.connect(name, stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // What it ends with is seen by who waits for the answer.
    tokio::spawn(connection);
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority)?);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse::<Uri>()?;
    Ok(sender.send_request(request).await?)
}
