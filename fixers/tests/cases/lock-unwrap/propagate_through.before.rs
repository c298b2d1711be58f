//! Where the error type has no word of its own for a poisoned lock, what it can be made of.

use std::sync::{Mutex, RwLock};

/// Made of I/O errors.
#[derive(Debug)]
pub enum DiskError {
    Io { from: std::io::Error },
    Short(usize),
}

impl From<std::io::Error> for DiskError {
    fn from(from: std::io::Error) -> DiskError {
        DiskError::Io { from }
    }
}

/// Made of those.
#[derive(Debug)]
pub enum IndexError {
    Disk(DiskError),
    Missing,
}

impl From<DiskError> for IndexError {
    fn from(from: DiskError) -> IndexError {
        IndexError::Disk(from)
    }
}

/// Has a place for whatever else there is.
#[derive(Debug)]
pub enum ServerError {
    NotFound,
    Internal { message: String },
}

/// Holds nothing of the kind.
#[derive(Debug)]
pub enum Full {
    Full(usize),
}

type Disk<T> = Result<T, DiskError>;

pub struct Pages {
    free: Mutex<Vec<u64>>,
    roots: RwLock<Vec<u64>>,
}

impl Pages {
    pub fn take(&self) -> Disk<Option<u64>> {
        let mut free = self.free.lock().expect("not poisoned");
        Ok(free.pop())
    }

    pub fn root(&self, at: usize) -> Result<u64, IndexError> {
        self.roots.read().unwrap().get(at).copied().ok_or(IndexError::Missing)
    }

    pub fn find(&self, page: u64) -> Result<usize, ServerError> {
        let roots = self.roots.read().unwrap();
        roots.iter().position(|&r| r == page).ok_or(ServerError::NotFound)
    }

    pub fn free(&self, page: u64) -> std::io::Result<()> {
        self.free.lock().unwrap().push(page);
        Ok(())
    }

    pub fn push(&self, page: u64) -> Result<(), Full> {
        let mut roots = self.roots.write().unwrap();
        if roots.len() > 9 {
            return Err(Full::Full(roots.len()));
        }
        roots.push(page);
        Ok(())
    }
}

pub mod inner {
    use super::Disk;
    #[cfg(feature = "traced")]
    use super::ServerError;

    pub struct Heads {
        pub(crate) all: std::sync::Mutex<Vec<u64>>,
    }

    impl Heads {
        pub fn first(&self) -> Disk<u64> {
            Ok(self.all.lock().unwrap()[0])
        }

        pub fn second(&self) -> Result<u64, super::ServerError> {
            Ok(self.all.lock().unwrap()[1])
        }

        #[cfg(feature = "traced")]
        pub fn third(&self) -> Result<u64, ServerError> {
            Ok(self.all.lock().map_err(|_| ServerError::NotFound)?[2])
        }
    }
}
