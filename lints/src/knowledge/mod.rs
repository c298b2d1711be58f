//! What code outside the workspace does: data in `lints/knowledge/*.toml`, one file a crate, and the user's additions.

mod builtin;
mod parse;
mod template;

pub use parse::{KnowledgeError, KnowledgeFile};
pub(crate) use template::iterator_of;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::name::Name;
use crate::ty::Ty;

/// All that is known of outside code.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Types by canonical path.
    pub types: FxHashMap<Name, TypeInfo>,
    /// Free functions by canonical path (associated functions are in their type).
    pub functions: FxHashMap<Name, FnInfo>,
    /// Other public path → canonical path.
    pub aliases: FxHashMap<Name, Name>,
    /// Module path → names it exports, for glob imports and preludes.
    pub modules: FxHashMap<Name, Vec<(Name, Name)>>,
    /// Names of the crates that something is known of.
    pub crates: FxHashSet<Name>,
    /// Type aliases: path → parameters and the type meant.
    pub type_aliases: FxHashMap<Name, (Vec<Name>, Ty)>,
    /// Effects of everything below a path prefix that is not listed.
    pub prefixes: Vec<(String, Tags)>,
    /// Prefixes of paths of what waits for I/O or without bound where it is awaited.
    pub waits: Vec<String>,
    /// Macro effects by last path segment: `println` → stdio.
    pub macros: FxHashMap<Name, Tags>,
}

/// A type from outside.
#[derive(Clone, Debug, Default)]
pub struct TypeInfo {
    /// Names of its type parameters.
    pub params: Vec<Name>,
    /// A lock, and of which kind.
    pub lock: Option<LockKind>,
    /// Its `lock()` yields a `LockResult`.
    pub poisons: bool,
    /// Acquiring it awaits.
    pub is_async: bool,
    /// What awaiting it gives, in its parameters (`JoinHandle`).
    pub awaits: Option<Ty>,
    /// What a lock guards, in its parameters.
    pub guarded: Option<Ty>,
    /// An owned guard: dropping it releases. (`dashmap`'s references too.)
    pub guard: bool,
    /// What it derefs to, in its parameters.
    pub deref: Option<Ty>,
    /// What cloning costs.
    pub clone: CloneCost,
    /// What collection it is.
    pub container: Option<Container>,
    /// Item type if it iterates by itself (`for x in v` by value).
    pub item: Option<Ty>,
    /// Item type when iterated by reference (`for x in &v`).
    pub item_ref: Option<Ty>,
    /// Is or owns a file, socket, process, mmap, database handle, channel end.
    pub io_object: bool,
    /// In-memory reader or writer: its `Read`/`Write` methods do no I/O.
    pub in_memory: bool,
    /// `Condvar`.
    pub condvar: bool,
    /// Bounds what it holds by itself (LRU, TTL).
    pub bounded: bool,
    /// Values of it are shared by handle (`Arc`, `Rc`).
    pub shared: bool,
    /// Shards behind one handle (`DashMap`).
    pub concurrent_map: bool,
    /// A trait: its methods apply to anything that implements it.
    pub is_trait: bool,
    /// Methods and associated functions.
    pub methods: FxHashMap<Name, FnInfo>,
    /// Traits whose methods (as pseudo-types here) it has: `std::iter::Iterator`, `std::io::Write`.
    pub traits: Vec<Name>,
}

impl TypeInfo {
    /// Whether a clone of it owns what it holds: it borrows from nothing.
    pub fn clone_is_value(&self) -> bool {
        matches!(self.clone, CloneCost::Args | CloneCost::Deep)
    }

    /// Whether it gives up a reference that outlives it: then it holds one (`Entry::or_insert`).
    pub fn lends(&self) -> bool {
        let by_value = |f: &FnInfo| f.self_mode == Some(crate::infer::SelfMode::Value);
        self.methods.values().any(|f| by_value(f) && matches!(f.ret.kind(), crate::ty::TyKind::Ref(..)))
    }
}

/// The kinds of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum LockKind {
    Mutex,
    RwLock,
    Reentrant,
    Semaphore,
}

/// What a clone costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum CloneCost {
    #[default]
    Unknown,
    /// `Copy`, or a counter.
    Cheap,
    /// Owns heap memory.
    Deep,
    /// As its type arguments: `Option<T>`.
    Args,
}

/// The kinds of collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Container {
    Map,
    OrderedMap,
    Set,
    OrderedSet,
    Vec,
    Deque,
    Heap,
    String,
}

/// A function or method from outside.
#[derive(Clone, Debug)]
pub struct FnInfo {
    /// Type parameters of its own.
    pub generics: Vec<Name>,
    /// How it takes `self`; `None` for an associated or free function.
    pub self_mode: Option<crate::infer::SelfMode>,
    /// Parameter types, `self` left out.
    pub params: Vec<Ty>,
    /// Result.
    pub ret: Ty,
    /// What it does.
    pub tags: Tags,
}

/// What a function does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Blocks on I/O or the thread.
    pub blocks: Option<Blocking>,
    /// Acquires the lock that is its receiver.
    pub acquire: Option<Acquire>,
    /// What happens to closures given to it.
    pub closure: ClosureUse,
    /// Runs them when its receiver is first asked only, never again.
    pub once: bool,
    /// What it does to the collection that is its receiver.
    pub op: Option<Op>,
    /// Waits on a condvar with the guard given and gives it back.
    pub condvar_wait: bool,
    /// Runs the future given to it on another task.
    pub spawns_future: bool,
    /// Blocks the thread for the future given to it.
    pub diverges: bool,
    /// Explicitly releases the guard that is its argument or receiver for the time of its closure (`unlocked`).
    pub unlocks: bool,
    /// Maps a guard to a guard of the same lock.
    pub maps_guard: bool,
    /// Blocks only where the channel was made with a capacity: its sender's type does not tell.
    pub if_bounded: bool,
    /// Awaiting it waits for I/O, the clock, or somebody else without bound.
    pub waits: bool,
}

/// How a call blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Blocking {
    Stdio,
    Fs,
    Fsync,
    Net,
    Process,
    Db,
    Sleep,
    Join,
    Recv,
    Send,
    Wait,
    Park,
    BlockOn,
}

/// How a lock is acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Acquire {
    /// Keeps all others out.
    pub exclusive: bool,
    /// Gives up instead of waiting.
    pub is_try: bool,
    /// May be taken again by a thread that holds it (`read_recursive`, `ReentrantMutex`).
    pub recursive: bool,
}

/// What a callee does with a closure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClosureUse {
    /// Not known.
    #[default]
    Unknown,
    /// Runs it before it returns, once at most.
    InPlace,
    /// Runs it before it returns, many times.
    Loop,
    /// Keeps it in what it returns, run when that is consumed (`Iterator::map`): as part of the statement's chain.
    Lazy,
    /// Hands it to another thread or task.
    Spawn,
}

/// What a method does to its collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Op {
    /// Reads one entry by key.
    Get,
    /// Changes one entry by key in place.
    GetMut,
    /// Adds or replaces an entry.
    Insert,
    /// `entry`.
    Entry,
    /// Takes entries away.
    Remove,
    Clear,
    /// `len`, `is_empty`.
    Len,
    Contains,
    Iterate,
    IterateMut,
    /// `range`, `first_key_value`, `last`: depends on order.
    Ordered,
}

impl Knowledge {
    /// What is embedded in the tool.
    pub fn builtin() -> Knowledge {
        builtin::load()
    }

    /// Adds what the user has written, each with the name of its file.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn extend(&mut self, files: &[(String, KnowledgeFile)]) -> Result<(), KnowledgeError> {
        let files: Vec<(&str, KnowledgeFile)> = files.iter().map(|(n, f)| (n.as_str(), f.clone())).collect();
        parse::extend(self, &files)
    }

    /// The type of a canonical path.
    pub fn type_info(&self, path: Name) -> Option<&TypeInfo> {
        self.types.get(&path)
    }

    /// What is known of an outside type.
    pub fn of(&self, ty: Ty) -> Option<&TypeInfo> {
        self.types.get(&ty.as_ext()?.0)
    }

    /// A function or method by the canonical path that [`crate::infer::Callee::Ext`] holds: `std::fs::read`,
    /// `std::sync::Mutex::lock`.
    pub fn callee(&self, path: Name) -> Option<&FnInfo> {
        if let Some(f) = self.functions.get(&path) {
            return Some(f);
        }
        let (ty, method) = path.cut()?;
        self.types.get(&ty)?.methods.get(&method)
    }

    /// Whether awaiting what a callee returns waits for I/O or without bound.
    pub fn waits(&self, path: Name) -> bool {
        self.callee(path).is_some_and(|f| f.tags.waits)
            || self.waits.iter().any(|prefix| path.as_str().starts_with(prefix.as_str()))
    }

    /// What a callee does, by path; falls back to the prefix table (`std::fs::*`).
    pub fn tags(&self, path: Name) -> Option<&Tags> {
        self.callee(path).map(|f| &f.tags).or_else(|| {
            self.prefixes
                .iter()
                // Functions of the module, not methods of types in it.
                .find(|(prefix, _)| {
                    path.as_str().strip_prefix(prefix.as_str()).is_some_and(|rest| !rest.contains("::"))
                })
                .map(|(_, t)| t)
        })
    }
}
