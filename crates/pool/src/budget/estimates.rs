//! How many tokens a request will cost, learned from how many the last ones did.

use std::collections::BTreeMap;

use keygate_domain::{ModelName, Spend};

/// A running factor for each model between the adapter's rough estimate and what the provider
/// counted, in the way TCP times a round trip (RFC 6298): mean and mean deviation. Reserving a little
/// too much costs capacity for as long as a request runs; reserving too little costs a 429.
#[derive(Clone, Debug, Default)]
pub(crate) struct Estimates {
    factors: BTreeMap<ModelName, Factor>,
}

#[derive(Clone, Copy, Debug)]
struct Factor {
    mean: f64,
    deviation: f64,
}

impl Estimates {
    /// Most models remembered; names are the callers' words.
    const MOST: usize = 1024;
    /// Weights of the newest sample (RFC 6298 §2).
    const ALPHA: f64 = 1.0 / 8.0;
    const BETA: f64 = 1.0 / 4.0;
    /// No factor leaves these bounds: one odd answer must not close or open a model.
    const BOUNDS: (f64, f64) = (0.05, 20.0);

    /// What to reserve for an estimate.
    pub(crate) fn corrected(&self, model: Option<&ModelName>, estimate: Spend) -> Spend {
        let Some(factor) = model.and_then(|model| self.factors.get(model)) else { return estimate };
        let factor = (factor.mean + 2.0 * factor.deviation).clamp(Self::BOUNDS.0, Self::BOUNDS.1);
        Spend { input_tokens: scaled(estimate.input_tokens, factor), ..estimate }
    }

    /// The provider counted `actual` for what was estimated.
    pub(crate) fn learn(&mut self, model: &ModelName, estimate: Spend, actual: Spend) {
        if estimate.input_tokens == 0 || actual.input_tokens == 0 {
            return;
        }
        let sample = actual.input_tokens as f64 / estimate.input_tokens as f64;
        let sample = sample.clamp(Self::BOUNDS.0, Self::BOUNDS.1);
        if let Some(factor) = self.factors.get_mut(model) {
            factor.deviation += Self::BETA * ((factor.mean - sample).abs() - factor.deviation);
            factor.mean += Self::ALPHA * (sample - factor.mean);
        } else if self.factors.len() < Self::MOST {
            self.factors.insert(model.clone(), Factor { mean: sample, deviation: sample / 8.0 });
        }
    }
}

#[expect(clippy::cast_sign_loss, reason = "both factors are positive")]
fn scaled(tokens: u64, factor: f64) -> u64 {
    (tokens as f64 * factor).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input_tokens: u64) -> Spend {
        Spend { requests: 1, input_tokens, output_tokens: 0 }
    }

    #[test]
    fn what_is_reserved_comes_close_to_what_is_used_and_stays_above_it() {
        let model = ModelName::from("m");
        let mut estimates = Estimates::default();
        assert_eq!(estimates.corrected(Some(&model), tokens(100)), tokens(100));
        for round in 0..50 {
            estimates.learn(&model, tokens(100), tokens(30 + round % 3));
        }
        let reserved = estimates.corrected(Some(&model), tokens(1000)).input_tokens;
        assert!((310..400).contains(&reserved), "{reserved}");
        assert_eq!(estimates.corrected(None, tokens(7)), tokens(7));
    }

    #[test]
    fn one_odd_answer_does_not_close_a_model() {
        let model = ModelName::from("m");
        let mut estimates = Estimates::default();
        estimates.learn(&model, tokens(1), tokens(1_000_000));
        assert!(estimates.corrected(Some(&model), tokens(10)).input_tokens <= 200);
    }
}
