//! Buffers that go back to the system when they go, whatever the allocator thinks of it.
//!
//! glibc hands out what is large from maps of its own, but each such map that is freed raises the size that counts as large,
//! up to 32 MiB, and with it what each thread's heap keeps for itself at its end. Buffers of flushes and merges are large
//! and short-lived: with them a database would soon hold megabytes a thread that nobody uses.

use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Zeros to be written over. Pages never written take no memory.
#[derive(Debug)]
pub(crate) struct Pages(Option<MmapMut>);

impl Pages {
    /// An error if the system has no memory for them.
    pub(crate) fn zeroed(len: usize) -> io::Result<Self> {
        // There are no empty maps.
        (len > 0).then(|| MmapMut::map_anon(len)).transpose().map(Self)
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

/// Records of a fixed length, appended one by one.
#[derive(Debug, Default)]
pub(crate) struct Records<const LENGTH: usize> {
    chunks: Vec<Pages>,
    count: usize,
}

impl<const LENGTH: usize> Records<LENGTH> {
    /// Records in a chunk: 256 KiB or a little less.
    const CHUNK: usize = (256 << 10) / LENGTH;

    pub(crate) fn push(&mut self, record: [u8; LENGTH]) -> io::Result<()> {
        if self.count == self.chunks.len() * Self::CHUNK {
            self.chunks.push(Pages::zeroed(Self::CHUNK * LENGTH)?);
        }
        let place = self.chunks.last_mut().and_then(|chunk| {
            let (records, _) = chunk.as_chunks_mut::<LENGTH>();
            records.get_mut(self.count % Self::CHUNK)
        });
        if let Some(place) = place {
            *place = record;
            self.count += 1;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8; LENGTH]> {
        self.chunks.iter().flat_map(|chunk| chunk.as_chunks::<LENGTH>().0).take(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order() {
        let mut records = Records::<12>::default();
        assert_eq!(records.iter().count(), 0);
        for n in 0..50_000_u32 {
            records.push(std::array::from_fn(|at| n.to_le_bytes()[at % 4])).unwrap();
        }
        assert_eq!(records.len(), 50_000);
        assert!(records.iter().zip(0_u32..).all(|(record, n)| record[4..8] == n.to_le_bytes()));
        assert_eq!(records.iter().count(), 50_000);
    }

    #[test]
    fn pages_are_zero_and_may_be_none() {
        assert_eq!(*Pages::zeroed(0).unwrap(), []);
        let mut pages = Pages::zeroed(5000).unwrap();
        assert!(pages.len() == 5000 && pages.iter().all(|byte| *byte == 0));
        pages[4999] = 1;
        assert_eq!(pages[4999], 1);
    }
}
