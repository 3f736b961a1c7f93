//! Who speaks to receivers.

use std::hash::{BuildHasher, Hasher, RandomState};

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;

pub(crate) const SERVICE_NAME: &str = "keygate";
const INSTANCE: &str = "service.instance.id";

/// Who speaks. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over the built-in name, as
/// every OpenTelemetry user expects. Without an instance named there a process is one: what two gateways count
/// would be one series otherwise.
pub(crate) fn resource(service_version: &str) -> Resource {
    let version = KeyValue::new("service.version", service_version.to_owned());
    let found = Resource::builder().with_attribute(version.clone()).build();
    let unnamed = match found.get(&Key::from_static_str("service.name")) {
        Some(Value::String(name)) => name.as_str().starts_with("unknown_service"),
        Some(_) | None => true,
    };
    let mut builder = Resource::builder().with_attribute(version);
    if unnamed {
        builder = builder.with_service_name(SERVICE_NAME);
    }
    if found.get(&Key::from_static_str(INSTANCE)).is_none() {
        builder = builder.with_attribute(KeyValue::new(INSTANCE, random_id()));
    }
    builder.build()
}

/// A UUID of version 4, of the standard library's own random keys.
fn random_id() -> String {
    let random = || RandomState::new().build_hasher().finish();
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_is_an_instance_of_its_own() {
        let id = random_id();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_ne!(id, random_id());
    }
}
