//! Which requests are traced.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

use tracing::dispatcher::get_default;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

use crate::content::Desk;
use crate::spans;

/// Lets the spans of requests through to the exporter, and knows which share of them is wanted.
///
/// Nothing else passes: an exporter that traced its own connections would never come to rest.
/// The share rides along so that the root span finds it in the subscriber it is made for: no
/// static beside the subscriber, and a subscriber scoped to a test brings its own. So does the desk where
/// prompts and answers are left, if they are.
#[derive(Clone, Debug)]
pub(crate) struct Sampling {
    /// A random `u64` below this is in; `None` is every one.
    below: Option<u64>,
    desk: Option<Desk>,
}

impl<S> Filter<S> for Sampling {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.target() == spans::TARGET && *metadata.level() <= Level::INFO
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == spans::TARGET && *metadata.level() <= Level::INFO {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

impl Sampling {
    /// Traces `share` of all requests; what is not a share (below 0, above 1, NaN) is clamped.
    pub(crate) fn of(share: f64) -> Self {
        if share >= 1.0 {
            return Self { below: None, desk: None };
        }
        #[expect(clippy::cast_sign_loss, reason = "clamped at zero; `as` saturates and turns NaN into 0")]
        let below = (share.max(0.0) * u64::MAX as f64) as u64;
        Self { below: Some(below), desk: None }
    }

    /// With a desk for what is said in requests.
    pub(crate) fn with_desk(self, desk: Option<Desk>) -> Self {
        Self { desk, ..self }
    }

    /// Whether a request nobody decided about yet is traced.
    fn takes_one(&self) -> bool {
        self.below.is_none_or(|below| next_random() < below)
    }
}

/// Whether the next request is traced: its caller may have decided, else the share does. A
/// subscriber without sampling takes every span it is offered.
pub(crate) fn decide(callers_choice: Option<bool>) -> bool {
    callers_choice.unwrap_or_else(|| {
        get_default(|dispatch: &Dispatch| dispatch.downcast_ref::<Sampling>().is_none_or(Sampling::takes_one))
    })
}

/// Where prompts and answers are left for their spans; nowhere, unless that is switched on.
pub(crate) fn desk() -> Option<Desk> {
    get_default(|dispatch: &Dispatch| dispatch.downcast_ref::<Sampling>()?.desk.clone())
}

/// `SplitMix64`, seeded per thread from the standard library's own random keys: sampling needs an
/// even spread, not secrecy, and no lock between workers.
fn next_random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
    }
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[rstest]
    #[case::none(0.0, 0, 0)]
    #[case::negative(-1.0, 0, 0)]
    #[case::not_a_number(f64::NAN, 0, 0)]
    #[case::one_in_a_hundred(0.01, 500, 1_500)]
    #[case::half(0.5, 49_000, 51_000)]
    #[case::all(1.0, 100_000, 100_000)]
    fn takes_about_the_share(#[case] share: f64, #[case] at_least: usize, #[case] at_most: usize) {
        let sampling = Sampling::of(share);
        let taken = (0..100_000).filter(|_| sampling.takes_one()).count();
        assert!((at_least..=at_most).contains(&taken), "{taken}");
    }

    #[test]
    fn the_caller_decides_for_its_own_trace() {
        let nothing = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_filter(Sampling::of(0.0)));
        tracing::subscriber::with_default(nothing, || {
            assert!(!decide(None));
            assert!(decide(Some(true)));
            assert!(!decide(Some(false)));
        });
    }
}
