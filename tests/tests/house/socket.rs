//! A WebSocket as a caller has it.

use futures_util::{SinkExt, StreamExt};
use keygate_tests::PATIENCE;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// An open connection.
pub(crate) struct Socket<S = TcpStream>(pub(crate) WebSocketStream<S>);

/// What a handshake was answered with instead of a connection.
#[derive(Debug)]
pub(crate) struct NotOpened {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl NotOpened {
    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Event {
    Text(String),
    Bytes(Vec<u8>),
    Closed(Closed),
    Lost,
}

impl Socket {
    /// Connects to a path of `base` (`http://…`) with these headers.
    pub(crate) async fn open(
        base: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, NotOpened> {
        let authority = base.strip_prefix("http://").expect("plain HTTP");
        let stream = TcpStream::connect(authority).await.expect("somebody listens");
        stream.set_nodelay(true).expect("an open socket");
        over(stream, &format!("ws://{authority}{path}"), headers).await
    }
}

/// Connects over a stream that is open already.
pub(crate) async fn over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    url: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket<S>, NotOpened> {
    let mut request = url.into_client_request().expect("a URL");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let opening = timeout(PATIENCE, client_async_with_config(request, stream, Some(config))).await;
    match opening.expect("an answer comes") {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(Error::Http(answer)) => {
            let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            let headers = answer.headers().iter();
            let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
            let body = answer.body().clone().unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            Err(NotOpened { status: answer.status().as_u16(), headers, body })
        }
        Err(other) => panic!("no handshake: {other}"),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Sends JSON as text.
    pub(crate) async fn say(&mut self, frame: &Value) {
        self.send(Message::Text(frame.to_string().into())).await;
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) {
        timeout(PATIENCE, self.0.send(message)).await.expect("somebody reads").expect("an open connection");
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something comes") {
                Some(Ok(Message::Text(text))) => return Event::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => return Event::Bytes(bytes.to_vec()),
                Some(Ok(Message::Close(frame))) => {
                    let closed = frame.map_or(Closed { code: 1005, reason: String::new() }, |frame| Closed {
                        code: frame.code.into(),
                        reason: frame.reason.as_str().to_owned(),
                    });
                    return Event::Closed(closed);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Event::Lost,
            }
        }
    }

    /// The next message, which is JSON.
    pub(crate) async fn json(&mut self) -> Value {
        match self.next().await {
            Event::Text(text) => serde_json::from_str(&text).expect("JSON"),
            Event::Bytes(bytes) => serde_json::from_slice(&bytes).expect("JSON"),
            Event::Closed(closed) => panic!("no message: {closed:?}"),
            Event::Lost => panic!("no message: the connection broke"),
        }
    }

    /// How the connection ends; what comes before is forgotten.
    pub(crate) async fn end(&mut self) -> Closed {
        loop {
            match self.next().await {
                Event::Closed(closed) => return closed,
                Event::Lost => panic!("the connection broke without a close frame"),
                Event::Text(_) | Event::Bytes(_) => {}
            }
        }
    }

    /// Closes and waits until the other side has done so.
    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = timeout(PATIENCE, self.0.next()).await.expect("the other side closes") {}
    }
}
