//! Chance that repeats itself: the same seed throws the same numbers, so that the demonstration
//! needs no other crate and reads the same each time.

/// A xorshift generator (Marsaglia, "Xorshift RNGs", 2003).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice that throw the sequence of `seed`, any number but 0.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from `low` up to, not including, `high`; `low` where there is none.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let sides = i64::try_from(self.bits() >> 33).unwrap_or(0);
        low + sides.checked_rem(high - low).unwrap_or(0)
    }

    /// `true` this often in a hundred throws.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 100) < percent
    }

    /// `true` once in `throws`, on the whole.
    pub(super) fn once_in(&mut self, throws: i64) -> bool {
        self.between(0, throws) == 0
    }

    /// One of `items`; the default where there is none.
    pub(super) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let sides = i64::try_from(items.len()).unwrap_or(0);
        let index = usize::try_from(self.between(0, sides)).unwrap_or(0);
        items.get(index).copied().unwrap_or_default()
    }
}
