//! What a cursor that moves forward asks the system to bring in before it gets there.

use std::ops::Range;

/// The first stretch asked for, and the longest: a short range should not read far, a long one should not wait often.
const FIRST: u64 = 64 << 10;
const LONGEST: u64 = 1 << 20;

/// How far a cursor has asked.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    length: u64,
    until: u64,
}

impl Ahead {
    /// The cursor jumped: what comes next is not known to follow.
    pub(super) fn jump(&mut self) {
        *self = Self::default();
    }

    /// The cursor moved on to a block at `offset` that is not in memory yet. What to ask for, if the stretch asked for last is
    /// half behind it.
    pub(super) fn step(&mut self, offset: u64) -> Option<Range<u64>> {
        if offset + self.length / 2 < self.until {
            return None;
        }
        self.length = (self.length * 2).clamp(FIRST, LONGEST);
        let start = self.until.max(offset);
        self.until = start + self.length;
        Some(start..self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_grow_follow_on_each_other_and_come_before_their_blocks() {
        const BLOCK: u64 = 16 << 10;
        let mut ahead = Ahead::default();
        let (mut asked, mut calls) = (BLOCK, 0);
        for block in 1..2000 {
            if let Some(range) = ahead.step(block * BLOCK) {
                assert_eq!(range.start, asked, "no gap, nothing twice");
                assert!(range.end - range.start <= LONGEST);
                (asked, calls) = (range.end, calls + 1);
            }
            assert!(asked >= (block + 1) * BLOCK, "asked for before it is read");
        }
        assert!(calls < 2000 * BLOCK / LONGEST + 10, "{calls} calls");
        ahead.jump();
        assert_eq!(ahead.step(5), Some(5..5 + FIRST));
    }
}
