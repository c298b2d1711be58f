//! Keys and values, the same for every database.

/// How keys and values look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 24-byte keys that differ from the first byte on, 150-byte values.
    Random,
    /// 24-byte keys that share 16 bytes, 150-byte values.
    Prefixed,
    /// Random 24-byte keys, 10 KiB values.
    Large,
}

impl Shape {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "random" => Some(Self::Random),
            "prefixed" => Some(Self::Prefixed),
            "large" => Some(Self::Large),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Prefixed => "prefixed",
            Self::Large => "large",
        }
    }

    fn value_len(self) -> usize {
        match self {
            Self::Random | Self::Prefixed => 150,
            Self::Large => 10 << 10,
        }
    }

    /// Key number `n`; numbers from the row count on are absent.
    pub fn key(self, n: u64) -> [u8; 24] {
        let mut key = [0; 24];
        match self {
            Self::Random | Self::Large => {
                for (at, word) in key.chunks_exact_mut(8).enumerate() {
                    word.copy_from_slice(&mix(n * 3 + at as u64).to_be_bytes());
                }
            }
            Self::Prefixed => {
                key[..16].copy_from_slice(b"tenant/00042/id:");
                key[16..].copy_from_slice(&mix(n).to_be_bytes());
            }
        }
        key
    }

    /// Fills `value` for key `n`: half of it random, half text, so that it compresses about as records do.
    pub fn value(self, n: u64, value: &mut Vec<u8>) {
        value.clear();
        let mut state = mix(n ^ 0x5851_F42D_4C95_7F2D);
        while value.len() < self.value_len() {
            value.extend_from_slice(&state.to_le_bytes());
            value.extend_from_slice(b"\"field\":");
            state = mix(state);
        }
        value.truncate(self.value_len());
    }
}

/// The finaliser of splitmix64: a bijection, so distinct numbers give distinct keys.
pub fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

/// A cheap stream of random row numbers.
pub struct Picks(pub u64);

impl Picks {
    pub fn next(&mut self, rows: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * u128::from(rows)) >> 64) as u64
    }
}
