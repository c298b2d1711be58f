//! LEB128 integers, one byte for what is below 128.

/// Appends `value`.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Splits an integer off the front. `None` where the bytes end early or the number does not fit.
#[inline]
#[must_use]
pub fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes {
        [a, rest @ ..] if *a < 0x80 => Some((u64::from(*a), rest)),
        [a, b, rest @ ..] if *b < 0x80 => Some((u64::from(a & 0x7F) | u64::from(*b) << 7, rest)),
        [a, b, c, rest @ ..] if *c < 0x80 => {
            Some((u64::from(a & 0x7F) | u64::from(b & 0x7F) << 7 | u64::from(*c) << 14, rest))
        }
        _ => take_long(bytes),
    }
}

#[cold]
fn take_long(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7F);
        if at == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * at);
        if *byte < 0x80 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(value: u64, shift in 0..64_u32, tail in prop::collection::vec(any::<u8>(), 0..3)) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            bytes.extend(&tail);
            prop_assert_eq!(take(&bytes), Some((value, &tail[..])));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let _ = take(&bytes);
        }
    }

    #[test]
    fn overlong_and_cut_numbers_are_refused() {
        assert_eq!(take(&[]), None);
        assert_eq!(take(&[0x80]), None);
        assert_eq!(take(&[0xFF; 12]), None);
        assert_eq!(take(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02]), None);
    }
}
