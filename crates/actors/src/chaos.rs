//! A switch that makes an actor's machine panic, to show that nobody notices.

use std::num::NonZeroU64;
use std::str::FromStr;

/// Panics inside the fence on every n-th ask, after the machine has changed: the worst moment.
///
/// For rehearsals and tests of the whole house, read from `KEYGATE_CHAOS` as
/// `panic_supervisor_every=1000`; there is no key for it in the configuration. More than five
/// restarts within 60 s end the process, as they would without rehearsal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chaos {
    /// Every how many asks.
    pub panic_every: NonZeroU64,
}

/// What stands in `KEYGATE_CHAOS` cannot be understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("KEYGATE_CHAOS is written `panic_supervisor_every=1000`")]
pub struct InvalidChaos;

impl FromStr for Chaos {
    type Err = InvalidChaos;

    fn from_str(text: &str) -> Result<Self, InvalidChaos> {
        let every = text.trim().strip_prefix("panic_supervisor_every=").ok_or(InvalidChaos)?;
        Ok(Self { panic_every: every.parse().map_err(|_| InvalidChaos)? })
    }
}

/// Counts asks; lives outside the machine, so that a restart does not start over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Saboteur {
    chaos: Option<Chaos>,
    asks: u64,
}

impl Saboteur {
    pub(crate) fn new(chaos: Option<Chaos>) -> Self {
        Self { chaos, asks: 0 }
    }

    /// Counts an ask and panics if it is its turn.
    pub(crate) fn strike(&mut self) {
        let Some(chaos) = self.chaos else { return };
        self.asks += 1;
        assert!(!self.asks.is_multiple_of(chaos.panic_every.get()), "chaos: panic on ask {}", self.asks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_documented() {
        let chaos: Chaos = "panic_supervisor_every=1000".parse().unwrap();
        assert_eq!(chaos.panic_every.get(), 1000);
        for wrong in ["", "panic_supervisor_every=", "panic_supervisor_every=0", "panic_every=5"] {
            assert_eq!(wrong.parse::<Chaos>(), Err(InvalidChaos), "{wrong}");
        }
    }
}
