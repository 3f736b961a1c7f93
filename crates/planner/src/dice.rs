//! Chance, from a seed.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};

/// A stream of numbers that look random and follow from a seed. Draws exponentials: what arrives
/// independently does so exponentially spaced, and of durations and sizes of which only the mean is
/// known it is the least presuming guess.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Pcg64Mcg);

impl Dice {
    /// Different streams of one seed have nothing to do with each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed.rotate_left(17) ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// More than 0, at most 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        ((self.0.next_u64() >> 11) + 1) as f64 / STEPS
    }

    /// Exponential, of mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.fraction().ln()
    }

    /// An amount of this mean, at least 1.
    #[expect(clippy::cast_sign_loss, reason = "neither factor is negative")]
    pub(crate) fn amount(&mut self, mean: u64) -> u64 {
        ((mean as f64 * self.exponential()).round() as u64).max(1)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        (((self.0.next_u64() >> 32) * u64::from(end)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream() {
        let draw = |seed, stream| {
            let mut dice = Dice::new(seed, stream);
            (0..8).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn amounts_have_their_mean_and_no_number_is_out_of_bounds() {
        let mut dice = Dice::new(1, 1);
        let mean = (0..100_000).map(|_| dice.amount(500)).sum::<u64>() / 100_000;
        assert!((490..510).contains(&mean), "{mean}");
        assert!((0..10_000).all(|_| dice.below(3) < 3));
        assert!((0..10_000).map(|_| dice.fraction()).all(|share| share > 0.0 && share <= 1.0));
    }
}
