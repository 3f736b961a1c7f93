//! A provider that answers at once: fixed answers, paced streams, and a sink for traces. It spends
//! as little as it can, since it shares a core with the load.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use futures_util::stream;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use keygate_bench::traffic::{EVENTS, answer, event};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

/// Answers like a provider, at once.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// The pause between two events of a stream, in milliseconds.
    #[arg(long, default_value_t = 2)]
    event_interval_ms: u64,
}

/// What was served so far; told by `GET /__bench`.
#[derive(Default)]
struct Served {
    answers: Cell<u64>,
    streams: Cell<u64>,
    trace_batches: Cell<u64>,
    trace_bytes: Cell<u64>,
}

struct Mock {
    served: Served,
    events: Vec<Bytes>,
    event_interval: Duration,
    last_answer: RefCell<(usize, Bytes)>,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(&arguments))
}

async fn serve(arguments: &Arguments) -> io::Result<()> {
    let listener = TcpListener::bind(arguments.bind).await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mock = Rc::new(Mock {
        served: Served::default(),
        events: (0..EVENTS).map(event).collect(),
        event_interval: Duration::from_millis(arguments.event_interval_ms),
        last_answer: RefCell::new((0, answer(0))),
    });
    loop {
        let (socket, _peer) = listener.accept().await?;
        // Without it Nagle's algorithm holds every event back until the last one is acknowledged.
        socket.set_nodelay(true)?;
        tokio::task::spawn_local(serve_connection(Rc::clone(&mock), socket));
    }
}

async fn serve_connection(mock: Rc<Mock>, socket: TcpStream) {
    let service = service_fn(move |request| respond(Rc::clone(&mock), request));
    // A contestant that hangs up is not this program's concern.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

type Answer = Response<Either<Full<Bytes>, EventBody>>;
type EventBody = StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

async fn respond(mock: Rc<Mock>, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let path = request.uri().path();
    let (is_stream, is_trace) = (path.ends_with(":streamGenerateContent"), path == "/v1/traces");
    if path == "/__bench" {
        return Ok(json(mock.served.told()));
    }
    let received = drain(request.into_body()).await?;
    Ok(if is_stream {
        mock.served.streams.set(mock.served.streams.get() + 1);
        mock.stream()
    } else if is_trace {
        mock.served.trace_batches.set(mock.served.trace_batches.get() + 1);
        mock.served.trace_bytes.set(mock.served.trace_bytes.get() + received as u64);
        // An empty protobuf message: everything was taken.
        json(Bytes::new())
    } else {
        mock.served.answers.set(mock.served.answers.get() + 1);
        json(mock.answer(received))
    })
}

async fn drain(mut body: Incoming) -> Result<usize, hyper::Error> {
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(received)
}

impl Mock {
    /// The answer to a body of this size; made anew only when the size changes.
    fn answer(&self, received: usize) -> Bytes {
        let mut last = self.last_answer.borrow_mut();
        if last.0 != received {
            *last = (received, answer(received));
        }
        last.1.clone()
    }

    fn stream(&self) -> Answer {
        let (began, interval) = (Instant::now(), self.event_interval);
        let events =
            stream::unfold(self.events.clone().into_iter().enumerate(), move |mut events| async move {
                let (number, event) = events.next()?;
                // Timers are a millisecond coarse: the first event must not wait for one.
                if number > 0 {
                    sleep_until(began + interval * number as u32).await;
                }
                Some((Ok(Frame::data(event)), events))
            });
        let mut response = Response::new(Either::Right(StreamBody::new(Box::pin(events) as _)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        response
    }
}

impl Served {
    fn told(&self) -> Bytes {
        let told = serde_json::json!({
            "answers": self.answers.get(),
            "streams": self.streams.get(),
            "trace_batches": self.trace_batches.get(),
            "trace_bytes": self.trace_bytes.get(),
        });
        told.to_string().into()
    }
}

fn json(body: Bytes) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}
