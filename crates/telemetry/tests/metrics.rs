//! Metrics that are sent: what a receiver gets, and what happens without one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up must fail"
)]

mod receiver;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::Moment;
use keygate_telemetry::metrics::{Metrics, Page, Reload, table};
use keygate_telemetry::{MetricsPush, MetricsSource, OtlpProtocol, OtlpSettings, Telemetry};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric};
use receiver::metrics::{MetricsReceiver, by_name};
use receiver::{LogLines, attributes, eventually, otlp, prepare, settings};
use rstest::rstest;
use socket2::{Domain, Socket, Type};
use tracing::Dispatch;

const STARTED: i64 = 1_700_000_000;

/// What a gateway with one key would tell.
struct House(Metrics);

impl MetricsSource for House {
    async fn page(&self) -> Page {
        let mut page = Page::default();
        self.0.gather(&mut page);
        page.flag(&table::KEY_AVAILABLE, &["google", "key1", "team-a", "projects/a"], true);
        page
    }

    fn now(&self) -> Moment {
        moment(STARTED + 60)
    }
}

fn moment(at: i64) -> Moment {
    Moment { mono: Duration::from_secs(1), wall: Timestamp::from_second(at).unwrap() }
}

struct Running {
    push: MetricsPush,
    metrics: Metrics,
    dispatch: Dispatch,
    telemetry: Telemetry,
    log: LogLines,
}

fn begin(address: SocketAddr, protocol: OtlpProtocol, every: Duration) -> Running {
    let otlp = OtlpSettings { metrics_every: Some(every), ..otlp(address, protocol, 1.0) };
    let (dispatch, telemetry, log) = prepare(&settings(Some(otlp)));
    let metrics = Metrics::new(moment(STARTED), telemetry.deliveries());
    let push = tracing::dispatcher::with_default(&dispatch, || {
        telemetry.push_metrics(metrics.clone(), House(metrics.clone())).expect("it is switched on")
    });
    Running { push, metrics, dispatch, telemetry, log }
}

fn finish(push: MetricsPush) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(push.finish());
}

fn points(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().expect("data") {
        metric::Data::Gauge(gauge) => &gauge.data_points,
        metric::Data::Sum(sum) => &sum.data_points,
        other @ (metric::Data::Histogram(_)
        | metric::Data::ExponentialHistogram(_)
        | metric::Data::Summary(_)) => panic!("no numbers: {other:?}"),
    }
}

fn value(metric: &Metric, labels: &[(&str, &str)]) -> Option<f64> {
    let of = points(metric).iter().find(|point| {
        let told = attributes(&point.attributes);
        labels.iter().all(|(label, wanted)| told.get(*label).is_some_and(|told| told == wanted))
    })?;
    match of.value? {
        Value::AsDouble(number) => Some(number),
        Value::AsInt(_) => None,
    }
}

#[rstest]
fn a_receiver_gets_the_numbers_of_the_page_under_their_names(
    #[values(OtlpProtocol::Grpc, OtlpProtocol::Http)] protocol: OtlpProtocol,
) {
    let receiver = MetricsReceiver::start(protocol);
    let Running { push, metrics, dispatch: _kept, telemetry, .. } =
        begin(receiver.address, protocol, Duration::from_hours(1));
    let first = receiver.next();
    let told = by_name(&first);
    let key = &told["keygate_key_available"];
    assert_eq!(value(key, &[("label", "team-a")]), Some(1.0), "{key:?}");
    let reloads = &told["keygate_config_reloads_total"];
    assert!(matches!(&reloads.data, Some(metric::Data::Sum(sum)) if sum.is_monotonic), "{reloads:?}");
    let second = 1_000_000_000;
    let (from, to) = (STARTED.cast_unsigned() * second, (STARTED + 60).cast_unsigned() * second);
    let point = &points(reloads)[0];
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (from, to));
    let resource = first.resource_metrics[0].resource.as_ref().expect("a resource");
    let resource = attributes(&resource.attributes);
    assert_eq!((&*resource["service.name"], &*resource["service.version"]), ("keygate", "1.2.3"));
    assert_eq!(resource["service.instance.id"].len(), 36, "{resource:?}");

    metrics.reloaded(Reload::Applied);
    finish(push);
    let last = by_name(&receiver.next());
    assert_eq!(value(&last["keygate_config_reloads_total"], &[("result", "applied")]), Some(1.0));
    assert_eq!(
        value(&last["keygate_otlp_batches_total"], &[("signal", "metrics"), ("result", "ok")]),
        Some(1.0)
    );
    assert!(!last.contains_key("keygate_key_available"), "who tells states has gone by then");
    telemetry.shutdown();
}

#[rstest]
fn a_receiver_that_is_away_is_told_once_and_counted_and_found_when_it_comes(
    #[values(OtlpProtocol::Grpc, OtlpProtocol::Http)] protocol: OtlpProtocol,
) {
    // Nobody listens there yet, and nobody else gets the port meanwhile.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let Running { push, metrics, dispatch: _kept, telemetry, log } =
        begin(address, protocol, Duration::from_millis(20));
    let mut seen = log.wait_for("metrics are not delivered");
    let failed = || {
        let mut page = Page::default();
        metrics.gather(&mut page);
        let text = page.written(keygate_telemetry::metrics::Format::Text);
        let line = r#"keygate_otlp_batches_total{signal="metrics",result="failed"} "#;
        let line = text.lines().find_map(|told| told.strip_prefix(line)).unwrap();
        line.parse::<u32>().unwrap()
    };
    eventually("it is counted", || failed() >= 3);
    socket.listen(16).unwrap();
    let receiver = MetricsReceiver::start_on(socket.into(), protocol);
    receiver.next();
    seen.push_str(&log.wait_for("metrics are delivered again"));
    finish(push);
    telemetry.shutdown();
    seen.push_str(&log.text());
    assert_eq!(seen.matches("metrics are not delivered").count(), 1, "{seen}");
}

#[test]
fn a_silent_receiver_delays_the_end_by_seconds_at_most() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let Running { push, telemetry, .. } = begin(address, OtlpProtocol::Grpc, Duration::from_hours(1));
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        finish(push);
        done.send(()).unwrap();
    });
    ended.recv_timeout(receiver::PATIENCE).expect("the end hangs");
    telemetry.shutdown();
    drop(listener);
}

#[test]
fn without_being_asked_for_no_metrics_are_sent() {
    let (_dispatch, telemetry, _log) =
        prepare(&settings(Some(otlp("127.0.0.1:1".parse().unwrap(), OtlpProtocol::Grpc, 1.0))));
    let metrics = Metrics::new(moment(STARTED), telemetry.deliveries());
    assert!(telemetry.push_metrics(metrics.clone(), House(metrics)).is_none());
    telemetry.shutdown();
}
