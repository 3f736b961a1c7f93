//! A provider's keys as `/api/{provider}/status` tells them.

use std::collections::BTreeMap;

use serde_json::Value;

/// The status of one provider.
#[derive(Debug)]
pub(crate) struct Pool(pub(crate) Value);

impl Pool {
    /// One key.
    #[track_caller]
    pub(crate) fn key(&self, label: &str) -> &Value {
        let mut keys = self.keys();
        keys.find(|key| key["label"] == label).unwrap_or_else(|| panic!("no key {label}: {self:?}"))
    }

    /// A key's state.
    #[track_caller]
    pub(crate) fn state(&self, label: &str) -> &str {
        self.key(label)["state"].as_str().expect("a key has a state")
    }

    /// The fault that took a key out.
    #[track_caller]
    pub(crate) fn fault(&self, label: &str) -> &str {
        self.key(label)["reason"]["fault"].as_str().unwrap_or_default()
    }

    /// What of a key rests.
    #[track_caller]
    pub(crate) fn resting(&self, label: &str) -> &[Value] {
        self.key(label)["resting"].as_array().expect("a list")
    }

    /// The public id of a key, as `x-keygate-key` tells it.
    #[track_caller]
    pub(crate) fn id(&self, label: &str) -> &str {
        self.key(label)["id"].as_str().expect("a key has an id")
    }

    /// How many keys are in which state.
    pub(crate) fn states(&self) -> BTreeMap<&str, usize> {
        let mut states = BTreeMap::new();
        for key in self.keys() {
            *states.entry(key["state"].as_str().expect("a key has a state")).or_default() += 1;
        }
        states
    }

    /// Checks that no key is blamed for anything.
    #[track_caller]
    pub(crate) fn blames_nobody(&self) {
        for key in self.keys() {
            assert_eq!(key["state"], "available", "{key}");
            assert_eq!(key["is_failed"], false, "{key}");
            assert_eq!(key["resting"].as_array().map(Vec::len), Some(0), "{key}");
            assert_eq!(key["counts"]["refused"], 0, "{key}");
        }
    }

    /// One of the pool's own counters.
    pub(crate) fn ledger(&self, counter: &str) -> u64 {
        self.0["ledger"][counter].as_u64().unwrap_or_else(|| panic!("no counter {counter}: {self:?}"))
    }

    /// Leases outstanding.
    pub(crate) fn in_flight(&self) -> u64 {
        self.ledger("in_flight")
    }

    /// How often the supervisor was restarted.
    pub(crate) fn restarts(&self) -> u64 {
        self.0["restarts"].as_u64().expect("a count of restarts")
    }

    /// Checks that no lease is outstanding and none got lost in the books.
    #[track_caller]
    pub(crate) fn balances(&self) {
        assert_eq!(self.in_flight(), 0, "{self:?}");
        let ended = self.ledger("settled") + self.ledger("refunded") + self.ledger("lost");
        assert_eq!(self.ledger("attempts"), ended, "{self:?}");
    }

    fn keys(&self) -> impl Iterator<Item = &Value> {
        self.0["keys"].as_array().expect("a list of keys").iter()
    }
}
