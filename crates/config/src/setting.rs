//! One value of the configuration, read from its text. Every layer hands over texts, so that a
//! value means the same in YAML, in `.env` and in the environment.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};
use url::Url;

/// Separates what a value must be from an example of it in [`Scalar::EXPECTED`].
pub(crate) const SUCH_AS: &str = ", such as ";

/// What can be written as one text.
pub(crate) trait Scalar: Sized {
    /// What it must be and an example: `a duration, such as 30s`.
    const EXPECTED: &'static str;
    /// The texts to choose from, if it is a choice.
    const CHOICES: &'static [&'static str] = &[];

    fn read(text: &str) -> Option<Self>;

    /// What no value at all (`null`) means, if it means something.
    fn nothing() -> Option<Self> {
        None
    }

    /// As it is shown to people; a secret shows itself as `***`.
    fn shown(&self) -> serde_json::Value;

    fn schema() -> Schema;
}

/// A field of a section. A newtype instead of `#[serde(with)]`, so that reading, showing and the
/// schema of a field cannot disagree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Setting<T>(pub(crate) T);

/// A count as a default; zero is one.
pub(crate) const fn count(number: u32) -> Setting<NonZeroU32> {
    match NonZeroU32::new(number) {
        Some(number) => Setting(number),
        None => Setting(NonZeroU32::MIN),
    }
}

impl<T: Scalar> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.shown().serialize(serializer)
    }
}

impl<'de, T: Scalar> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingVisitor(PhantomData)).map(Self)
    }
}

impl<T: Scalar> JsonSchema for Setting<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn schema_id() -> Cow<'static, str> {
        std::any::type_name::<Self>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

struct SettingVisitor<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for SettingVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text.trim()).ok_or_else(|| {
            if T::CHOICES.is_empty() {
                E::invalid_value(Unexpected::Other("a text"), &self)
            } else {
                E::unknown_variant(text, T::CHOICES)
            }
        })
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        T::nothing().ok_or_else(|| E::invalid_type(Unexpected::Other("nothing"), &self))
    }

    fn visit_none<E: de::Error>(self) -> Result<T, E> {
        self.visit_unit()
    }
}

impl<T: Scalar> Scalar for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const CHOICES: &'static [&'static str] = T::CHOICES;

    fn read(text: &str) -> Option<Self> {
        T::read(text).map(Some)
    }

    fn nothing() -> Option<Self> {
        Some(None)
    }

    fn shown(&self) -> serde_json::Value {
        self.as_ref().map_or(serde_json::Value::Null, Scalar::shown)
    }

    fn schema() -> Schema {
        let inner = T::schema();
        json_schema!({ "anyOf": [inner, { "type": "null" }] })
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";
    const CHOICES: &'static [&'static str] = &["true", "false"];

    /// `yes` and `on` are what YAML 1.1 called truth, and people still write them.
    fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn shown(&self) -> serde_json::Value {
        (*self).into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl Scalar for NonZeroU32 {
    const EXPECTED: &'static str = "a whole number of at least 1, such as 20";

    fn read(text: &str) -> Option<Self> {
        text.replace('_', "").parse().ok()
    }

    fn shown(&self) -> serde_json::Value {
        self.get().into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": u32::MAX })
    }
}

/// For counts that may be nothing.
impl Scalar for u32 {
    const EXPECTED: &'static str = "a whole number, such as 1";

    fn read(text: &str) -> Option<Self> {
        text.replace('_', "").parse().ok()
    }

    fn shown(&self) -> serde_json::Value {
        (*self).into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}

/// For what is counted in tokens: a large organisation uses more than 2^32 of them in a month.
impl Scalar for NonZeroU64 {
    const EXPECTED: &'static str = NonZeroU32::EXPECTED;

    fn read(text: &str) -> Option<Self> {
        text.replace('_', "").parse().ok()
    }

    fn shown(&self) -> serde_json::Value {
        self.get().into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 1 })
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "a text";

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn shown(&self) -> serde_json::Value {
        self.as_str().into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl Scalar for SocketAddr {
    const EXPECTED: &'static str =
        "an IP address and a port up to 65535, such as 127.0.0.1:8080 or [::]:8080";

    fn read(text: &str) -> Option<Self> {
        text.replace("localhost:", "127.0.0.1:").parse().ok()
    }

    fn shown(&self) -> serde_json::Value {
        self.to_string().into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl Scalar for Url {
    const EXPECTED: &'static str = "a URL with its scheme, such as https://gateway.example";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text).ok().filter(Self::has_host)
    }

    fn shown(&self) -> serde_json::Value {
        self.as_str().trim_end_matches('/').into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "format": "uri" })
    }
}

/// A share of a whole, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Share(pub(crate) f64);

impl Scalar for Share {
    const EXPECTED: &'static str = "a number from 0 to 1, such as 0.1";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Self)
    }

    fn shown(&self) -> serde_json::Value {
        self.0.into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// An amount of money; the currency is the operator's.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Money(pub(crate) f64);

impl Scalar for Money {
    const EXPECTED: &'static str = "an amount of money, such as 0.002";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0).map(Self)
    }

    fn shown(&self) -> serde_json::Value {
        self.0.into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}

/// A SHA-256 sum as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sha256Sum(pub(crate) [u8; 32]);

impl fmt::Debug for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Scalar for Sha256Sum {
    const EXPECTED: &'static str =
        "a SHA-256 sum of 64 hexadecimal digits, such as what `printf %s TOKEN | sha256sum` prints";

    fn read(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut sum = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(sum))
    }

    fn shown(&self) -> serde_json::Value {
        "***".into()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use figment::value::Value;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("on", Some(true))]
    #[case("False", Some(false))]
    #[case("1", None)]
    fn truth(#[case] text: &str, #[case] value: Option<bool>) {
        assert_eq!(bool::read(text), value);
    }

    #[rstest]
    #[case("0", false)]
    #[case("0.25", true)]
    #[case("1.0", true)]
    #[case("1.1", false)]
    #[case("NaN", false)]
    #[case("-0.1", false)]
    fn shares_end_at_one(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(Share::read(text).is_some(), accepted || text == "0");
    }

    #[test]
    fn a_port_alone_is_no_address() {
        assert!(SocketAddr::read("8080").is_none());
        assert!(SocketAddr::read("localhost:8080").unwrap().ip().is_loopback());
    }

    #[test]
    fn hexadecimal_sums_are_read() {
        let sum = Sha256Sum::read(&"0fA9".repeat(16)).unwrap();
        assert_eq!(&sum.0[..2], &[0x0f, 0xa9]);
        assert!(Sha256Sum::read("abc").is_none());
        assert!(Sha256Sum::read(&"zz".repeat(32)).is_none());
    }

    #[test]
    fn a_wrong_value_is_not_repeated() {
        let error = Value::from("oops-secret").deserialize::<Setting<NonZeroU32>>().unwrap_err();
        assert!(!error.to_string().contains("oops"), "{error}");
    }

    #[test]
    fn null_is_a_value_of_optional_settings_only() {
        let null = Value::Empty(figment::value::Tag::Default, figment::value::Empty::None);
        assert_eq!(null.deserialize::<Setting<Option<bool>>>().unwrap(), Setting(None));
        assert!(null.deserialize::<Setting<bool>>().is_err());
    }
}
