//! What a bot of a personal account logs in with.

use std::collections::BTreeMap;
use std::fmt;

use keygate_domain::ApiKey;
use serde_json::{Map, Value};

/// The credentials of the variables `ZALO_*`. They print as `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct BotCredentials {
    /// `ZALO_API_KEY`: what the bot's library wants in the place of a phone number.
    pub api_key: Option<ApiKey>,
    /// `ZALO_SECRET_KEY`: what it wants in the place of a password.
    pub secret_key: Option<ApiKey>,
    /// `ZALO_IMEI`.
    pub imei: Option<ApiKey>,
    /// `ZALO_COOKIES`, by name.
    pub cookies: BTreeMap<String, ApiKey>,
}

/// Cookies that cannot be read. Never carries one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidCookies;

impl BotCredentials {
    /// Reads cookies from JSON: a flat map, an array of objects with `name` (or `key`) and `value`, or such an
    /// array under `cookies`.
    ///
    /// # Errors
    /// [`InvalidCookies`] when it is nothing of that.
    pub fn with_cookies(self, json: &str) -> Result<Self, InvalidCookies> {
        let value: Value = serde_json::from_str(json).map_err(|_no_json| InvalidCookies)?;
        let cookies = match &value {
            Value::Array(items) => listed(items),
            Value::Object(fields) => match fields.get("cookies") {
                Some(Value::Array(items)) => listed(items),
                Some(Value::Object(fields)) => flat(fields),
                _ => flat(fields),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let cookies = cookies.filter(|cookies| !cookies.is_empty()).ok_or(InvalidCookies)?;
        Ok(Self { cookies, ..self })
    }

    /// Whether there is anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Everything in it that is secret, for who keeps it out of what is printed.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let single = [&self.api_key, &self.secret_key, &self.imei].into_iter().flatten();
        single.chain(self.cookies.values()).map(ApiKey::expose)
    }

    /// As the bot is sent it.
    pub fn to_json(&self) -> Value {
        let single = [("api_key", &self.api_key), ("secret_key", &self.secret_key), ("imei", &self.imei)];
        let single = single
            .into_iter()
            .filter_map(|(name, secret)| Some((name.to_owned(), secret.as_ref()?.expose().into())));
        let mut fields: Map<String, Value> = single.collect();
        if !self.cookies.is_empty() {
            let cookies = self.cookies.iter().map(|(name, value)| (name.clone(), value.expose().into()));
            fields.insert("cookies".to_owned(), Value::Object(cookies.collect()));
        }
        Value::Object(fields)
    }
}

impl fmt::Debug for BotCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BotCredentials(***)")
    }
}

fn flat(fields: &Map<String, Value>) -> Option<BTreeMap<String, ApiKey>> {
    fields.iter().map(|(name, value)| Some((name.clone(), ApiKey::new(value.as_str()?)))).collect()
}

fn listed(items: &[Value]) -> Option<BTreeMap<String, ApiKey>> {
    let cookie = |item: &Value| {
        let name = item.get("name").or_else(|| item.get("key"))?.as_str()?;
        Some((name.to_owned(), ApiKey::new(item.get("value")?.as_str()?)))
    };
    items.iter().map(cookie).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_in_three_shapes() {
        for json in [
            r#"{"zpsid":"a","zpw_sek":"b"}"#,
            r#"[{"name":"zpsid","value":"a","domain":".zalo.me"},{"key":"zpw_sek","value":"b"}]"#,
            r#"{"url":"https://chat.zalo.me","cookies":[{"name":"zpsid","value":"a"},{"name":"zpw_sek","value":"b"}]}"#,
        ] {
            let read = BotCredentials::default().with_cookies(json).unwrap();
            assert_eq!(read.to_json()["cookies"]["zpsid"], "a", "{json}");
            assert_eq!(read.to_json()["cookies"]["zpw_sek"], "b", "{json}");
        }
    }

    #[test]
    fn what_is_no_cookies_is_refused() {
        for json in ["", "zpsid=a; zpw_sek=b", "{}", "[]", "3", r#"{"zpsid":1}"#, r#"[{"name":"zpsid"}]"#] {
            assert_eq!(BotCredentials::default().with_cookies(json), Err(InvalidCookies), "{json}");
        }
    }

    #[test]
    fn credentials_do_not_print() {
        let read = BotCredentials::default().with_cookies(r#"{"zpsid":"sesame"}"#).unwrap();
        assert!(!format!("{read:?}").contains("sesame"));
        assert_eq!(read.secrets().collect::<Vec<_>>(), ["sesame"]);
    }
}
