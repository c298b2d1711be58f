//! Bytes lent out together with what keeps them alive.
//!
//! A value read from a run is not copied: the handle holds a share of the run (or of a cached block) and points into
//! it. This is the one place that stores a pointer beside its owner, hence the `unsafe`.
#![allow(unsafe_code, reason = "a pointer beside its owner; the invariant is stated at the type")]

use std::fmt;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;

/// Longest value that is copied into its handle.
const INLINE: usize = 38;

/// A read-only byte string that keeps its owner alive. Cloning it copies no bytes beyond a few.
///
/// It keeps a whole file or buffer from being freed: copy the bytes out of a handle that is to be kept for long.
#[derive(Clone)]
pub struct Value(Repr);

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE]),
    Held(Held),
}

/// Bytes somewhere else.
///
/// # Invariant
///
/// `bytes` was borrowed from what `owner` points to (or is static), and `owner` is neither dropped nor handed out while
/// `self` lives. An `Arc`'s content does not move and nobody can borrow it mutably while we hold a share, so the bytes
/// stay where they are and as they are.
#[derive(Clone)]
struct Held {
    bytes: NonNull<[u8]>,
    _owner: Owner,
}

#[derive(Clone)]
enum Owner {
    Static,
    Any(#[expect(dead_code, reason = "held, never read")] Arc<dyn Send + Sync>),
}

// SAFETY: the bytes are only ever read, and the owner is itself `Send + Sync`.
unsafe impl Send for Held {}
// SAFETY: as above; a shared `Held` gives out shared byte slices only.
unsafe impl Sync for Held {}

impl Deref for Held {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: by the invariant the bytes are alive and unchanged as long as `self` is.
        unsafe { self.bytes.as_ref() }
    }
}

impl Value {
    /// Bytes that live for ever.
    #[must_use]
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(Repr::Held(Held { bytes: NonNull::from_ref(bytes), _owner: Owner::Static }))
    }

    /// A copy within the handle itself, if the bytes are few enough.
    #[inline]
    #[must_use]
    pub fn inline(bytes: &[u8]) -> Option<Self> {
        let mut copy = [0; INLINE];
        copy.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(Repr::Inline(bytes.len() as u8, copy)))
    }

    /// What `borrow` finds in `owner`. A share of the owner is taken only if it finds something.
    ///
    /// That `borrow` works for every lifetime is what makes this sound: the bytes can come from nowhere but the owner
    /// or a static.
    #[inline]
    pub fn borrow<T, E>(
        owner: &Arc<T>,
        borrow: impl for<'a> FnOnce(&'a T) -> Result<Option<&'a [u8]>, E>,
    ) -> Result<Option<Self>, E>
    where
        T: Send + Sync + 'static,
    {
        let found = borrow(owner)?.map(NonNull::from_ref);
        Ok(found.map(|bytes| {
            let owner = Arc::<T>::clone(owner);
            Self(Repr::Held(Held { bytes, _owner: Owner::Any(owner) }))
        }))
    }

    /// A whole cached block.
    #[must_use]
    pub fn from_block(block: Arc<Box<[u8]>>) -> Self {
        let bytes = NonNull::from_ref(&**block);
        Self(Repr::Held(Held { bytes, _owner: Owner::Any(block) }))
    }

    /// A part of the bytes with the same owner; empty if `range` is not inside them.
    #[inline]
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        self.clone().into_slice(range)
    }

    /// Narrows to a part of the bytes; empty if `range` is not inside them.
    #[inline]
    #[must_use]
    pub fn into_slice(self, range: Range<usize>) -> Self {
        match self.0 {
            Repr::Inline(..) => {
                Self::inline(self.get(range).unwrap_or_default()).unwrap_or(Self::from_static(b""))
            }
            Repr::Held(held) => {
                // A part of bytes that the owner keeps alive is kept alive by it too.
                let bytes = NonNull::from_ref(held.get(range).unwrap_or_default());
                Self(Repr::Held(Held { bytes, ..held }))
            }
        }
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Held(held) => held,
        }
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::inline(&bytes).unwrap_or_else(|| Self::from_block(Arc::new(bytes.into_boxed_slice())))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Value {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl Eq for Value {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Owner {
        bytes: Vec<u8>,
        dropped: Arc<AtomicBool>,
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            self.dropped.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_owner_outlives_every_handle() {
        let dropped = Arc::new(AtomicBool::new(false));
        let owner = Arc::new(Owner { bytes: b"hello world".to_vec(), dropped: Arc::clone(&dropped) });
        let all = Value::borrow(&owner, |owner| Ok::<_, ()>(Some(&owner.bytes))).unwrap().unwrap();
        drop(owner);
        let word = all.slice(6..11);
        drop(all);
        assert_eq!(word, b"world");
        assert!(!dropped.load(Ordering::SeqCst));
        let moved = std::thread::spawn(move || word.len()).join().unwrap();
        assert_eq!(moved, 5);
        assert!(dropped.load(Ordering::SeqCst));
    }

    #[test]
    fn nothing_found_takes_no_share() {
        let owner = Arc::new(());
        assert_eq!(Value::borrow(&owner, |()| Ok::<_, ()>(None)), Ok(None::<Value>));
        assert_eq!(Arc::strong_count(&owner), 1);
    }

    #[test]
    fn parts_stay_inside() {
        let bytes = b"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
        for all in [
            Value::from(bytes.to_vec()),
            Value::from_static(bytes),
            Value::borrow(&Arc::new(bytes.to_vec()), |owner| Ok::<_, ()>(Some(owner))).unwrap().unwrap(),
            Value::inline(&bytes[..20]).unwrap(),
        ] {
            assert_eq!(all.slice(2..4), b"cd");
            assert_eq!(all.slice(4..90), b"");
            assert_eq!(all.slice(1..10).slice(1..3), b"cd");
        }
        assert!(Value::inline(bytes).is_none());
    }
}
