//! A page as OTLP has it: the names of the table, with labels as attributes.

use keygate_domain::Moment;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as ProtoExemplar, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, exemplar, metric, number_data_point,
};

use super::histogram::{Distribution, Exemplar};
use super::page::{Page, Sample};
use super::table::{Family, Kind};

/// From the beginning of the process until this moment.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

impl Page {
    /// Everything on the page; sums go from `started` to `now`.
    pub(crate) fn to_otlp(&self, started: Moment, now: Moment) -> Vec<Metric> {
        let span = Span { from: nanoseconds(started), to: nanoseconds(now) };
        let families = self.families().map(|(family, samples)| {
            let numbers = || samples.iter().filter_map(|(labels, one)| number(family, labels, one, span));
            let cumulative = AggregationTemporality::Cumulative.into();
            let data = match family.kind {
                Kind::Gauge => metric::Data::Gauge(Gauge { data_points: numbers().collect() }),
                Kind::Counter => metric::Data::Sum(Sum {
                    data_points: numbers().collect(),
                    aggregation_temporality: cumulative,
                    is_monotonic: true,
                }),
                Kind::Histogram => metric::Data::Histogram(Histogram {
                    data_points: samples
                        .iter()
                        .filter_map(|(labels, one)| distribution(family, labels, one, span))
                        .collect(),
                    aggregation_temporality: cumulative,
                }),
            };
            Metric {
                name: family.name.to_owned(),
                description: family.help.to_owned(),
                data: Some(data),
                ..Default::default()
            }
        });
        families.collect()
    }
}

fn number(family: &Family, labels: &[String], sample: &Sample, span: Span) -> Option<NumberDataPoint> {
    let Sample::Number(number) = sample else { return None };
    Some(NumberDataPoint {
        attributes: attributes(family, labels),
        start_time_unix_nano: if family.kind == Kind::Counter { span.from } else { 0 },
        time_unix_nano: span.to,
        value: Some(number_data_point::Value::AsDouble(*number)),
        ..Default::default()
    })
}

fn distribution(
    family: &Family,
    labels: &[String],
    sample: &Sample,
    span: Span,
) -> Option<HistogramDataPoint> {
    let Sample::Distribution(told) = sample else { return None };
    let unit = told.ranges.unit;
    Some(HistogramDataPoint {
        attributes: attributes(family, labels),
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        count: told.counts.iter().sum(),
        sum: Some(unit.told(told.sum)),
        bucket_counts: told.counts.clone(),
        explicit_bounds: told.ranges.ends.iter().map(|end| unit.told(*end)).collect(),
        exemplars: told.exemplars.iter().flatten().map(|one| exemplar(told, one)).collect(),
        ..Default::default()
    })
}

fn exemplar(told: &Distribution, one: &Exemplar) -> ProtoExemplar {
    ProtoExemplar {
        time_unix_nano: u64::try_from(one.at_ms).unwrap_or_default().saturating_mul(1_000_000),
        trace_id: one.trace.to_bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(told.ranges.unit.told(one.value))),
        ..Default::default()
    }
}

/// A label without a value is none.
fn attributes(family: &Family, labels: &[String]) -> Vec<KeyValue> {
    let named = family.labels.iter().zip(labels).filter(|(_, value)| !value.is_empty());
    let attributes = named.map(|(name, value)| KeyValue {
        key: (*name).to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.clone())) }),
        ..Default::default()
    });
    attributes.collect()
}

fn nanoseconds(moment: Moment) -> u64 {
    u64::try_from(moment.wall.as_nanosecond()).unwrap_or_default()
}
