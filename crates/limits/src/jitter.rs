//! Numbers that look random, from a seed: the crate has no randomness of its own.

/// `SplitMix64`: small, seedable from any value, good enough to spread pauses.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number in `0..1`.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // 32 bits are exact in an f64 and plenty for a pause.
        f64::from((mixed >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }
}
