//! The bare floor: actix-web in front, reqwest behind, no function between them. What the gateway
//! costs above it is the gateway's own.
//!
//! It is built as the gateway is: one client per worker, `TCP_NODELAY` on both sides, the request's
//! body read before it is sent, a whole answer handed on whole, a stream piece by piece.

use std::io::{self, Write};
use std::net::SocketAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Parser;
use reqwest::{Body, Client, Method, Request, Url, redirect};

const MOST_BODY_BYTES: usize = 110 * 1024 * 1024;
const STREAM: &str = "text/event-stream";

/// Proxies everything to one upstream.
#[derive(Clone, Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Where to send everything.
    #[arg(long)]
    upstream: Url,
}

struct Upstream {
    client: Client,
    base: Url,
}

fn main() -> io::Result<()> {
    actix_web::rt::System::new().block_on(serve(Arguments::parse()))
}

async fn serve(arguments: Arguments) -> io::Result<()> {
    let base = arguments.upstream.clone();
    let server = HttpServer::new(move || {
        let base = base.clone();
        App::new()
            .data_factory(move || std::future::ready(Upstream::new(base.clone())))
            .app_data(web::PayloadConfig::new(MOST_BODY_BYTES))
            .default_service(web::to(proxy))
    });
    let server = server.workers(1).tcp_nodelay(true).bind(arguments.bind)?;
    for address in server.addrs() {
        writeln!(io::stdout(), "listening on {address}")?;
    }
    server.run().await
}

impl Upstream {
    fn new(base: Url) -> reqwest::Result<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().tcp_nodelay(true);
        Ok(Self { client: client.retry(reqwest::retry::never()).build()?, base })
    }
}

async fn proxy(request: HttpRequest, body: web::Bytes, upstream: web::Data<Upstream>) -> HttpResponse {
    match forward(&request, body, &upstream).await {
        Ok(response) => response,
        Err(error) => HttpResponse::BadGateway().body(error.to_string()),
    }
}

async fn forward(
    request: &HttpRequest,
    body: web::Bytes,
    upstream: &Upstream,
) -> reqwest::Result<HttpResponse> {
    let mut url = upstream.base.clone();
    url.set_path(request.path());
    url.set_query(request.uri().query());
    let mut asked = Request::new(Method::POST, url);
    for (name, value) in request.headers() {
        if is_end_to_end(name.as_str())
            && let (Ok(name), Ok(value)) =
                (name.as_str().parse::<reqwest::header::HeaderName>(), value.as_bytes().try_into())
        {
            asked.headers_mut().append(name, value);
        }
    }
    *asked.body_mut() = Some(Body::from(body));
    respond(upstream.client.execute(asked).await?).await
}

async fn respond(answer: reqwest::Response) -> reqwest::Result<HttpResponse> {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        if is_end_to_end(name.as_str()) {
            response.append_header((name.as_str(), value.as_bytes()));
        }
    }
    let is_stream = answer
        .headers()
        .get(CONTENT_TYPE.as_str())
        .is_some_and(|value| value.as_bytes().starts_with(STREAM.as_bytes()));
    if is_stream {
        return Ok(response.streaming(answer.bytes_stream()));
    }
    Ok(response.body(answer.bytes().await?))
}

/// Headers that belong to one connection, or that each side sets for itself.
fn is_end_to_end(name: &str) -> bool {
    !matches!(name, "host" | "connection" | "content-length" | "transfer-encoding" | "keep-alive" | "date")
}
