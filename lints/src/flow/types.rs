//! What the flow analyses ask of types: can a value hold a guard, does it own a file or socket.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use rustc_hash::FxHashSet;

use crate::knowledge::Tags;
use crate::name::Name;
use crate::program::{DefId, Program};
use crate::ty::{Subst, Ty, TyKind};

/// What a type is as far as input and output go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoClass {
    /// Is or owns a file, socket, process, database handle, channel end.
    Io,
    /// Known to own none.
    Memory,
    /// A type parameter or trait object: the caller knows.
    Generic,
    /// Not known.
    Unknown,
}

/// What [`TypeFacts`] remembers, by type and by name.
#[derive(Debug, Default)]
pub struct TypeMemo {
    holds: Table<AtomicU8>,
    tags: Table<OnceLock<Option<Tags>>>,
}

/// Entries of a [`Table`] that come into being together.
const CHUNK: usize = 1024;
/// Chunks of a [`Table`]; what lies beyond is answered without memory.
const CHUNKS: usize = 4096;

/// A table that grows while others read it: types are interned while bodies are inferred, side by side.
#[derive(Debug)]
struct Table<T>(Box<[OnceLock<Box<[T]>>]>);

impl<T: Default> Default for Table<T> {
    fn default() -> Table<T> {
        Table((0..CHUNKS).map(|_| OnceLock::new()).collect())
    }
}

impl<T: Default> Table<T> {
    fn get(&self, index: usize) -> Option<&T> {
        let chunk = self.0.get(index / CHUNK)?;
        chunk.get_or_init(|| (0..CHUNK).map(|_| T::default()).collect()).get(index % CHUNK)
    }
}

/// Answers about types.
#[derive(Clone, Copy)]
pub struct TypeFacts<'a> {
    program: &'a Program,
    memo: &'a TypeMemo,
}

const NO: u8 = 1;
const YES: u8 = 2;
const DEPTH: u32 = 12;

impl<'a> TypeFacts<'a> {
    /// Answers for a program out of a memory.
    pub fn new(program: &'a Program, memo: &'a TypeMemo) -> TypeFacts<'a> {
        TypeFacts { program, memo }
    }

    /// What an outside function does, by canonical path.
    pub fn tags(&self, path: Name) -> Option<&'a Tags> {
        match self.memo.tags.get(path.index()) {
            Some(cell) => cell.get_or_init(|| self.program.knowledge.tags(path).cloned()).as_ref(),
            None => self.program.knowledge.tags(path),
        }
    }

    /// Whether a guard type is an iterator that yields guards.
    pub fn is_iterator(&self, guard: Ty) -> bool {
        self.program.knowledge.of(guard).is_some_and(|i| i.item.is_some_and(|t| self.holds_guard(t)))
    }

    /// Whether a value of the type can own a guard. Unknown types and type parameters cannot.
    pub fn holds_guard(&self, ty: Ty) -> bool {
        if let Some(cell) = self.memo.holds.get(ty.index()) {
            match cell.load(Ordering::Relaxed) {
                NO => return false,
                YES => return true,
                _ => {}
            }
        }
        let mut seen = FxHashSet::default();
        let answer = self.compute_holds(ty, &mut seen, 0);
        if let Some(cell) = self.memo.holds.get(ty.index()) {
            cell.store(if answer { YES } else { NO }, Ordering::Relaxed);
        }
        answer
    }

    fn compute_holds(&self, ty: Ty, seen: &mut FxHashSet<Ty>, depth: u32) -> bool {
        if depth > DEPTH {
            return false;
        }
        match ty.kind() {
            TyKind::Ext(path, args) => {
                let info = self.program.knowledge.type_info(*path);
                // What a lock, channel or counter holds is not held by its owner.
                if info.is_some_and(|i| i.guard) {
                    return true;
                }
                if info.is_some_and(|i| i.lock.is_some() || i.io_object || i.concurrent_map) {
                    return false;
                }
                args.iter().any(|&a| self.compute_holds(a, seen, depth + 1))
            }
            TyKind::Tuple(args) => args.iter().any(|&a| self.compute_holds(a, seen, depth + 1)),
            TyKind::Array(t) | TyKind::Slice(t) => self.compute_holds(*t, seen, depth + 1),
            TyKind::Adt(def, args) => {
                if !seen.insert(ty) {
                    return false;
                }
                self.any_field(*def, args, &mut |t| self.compute_holds(t, seen, depth + 1))
            }
            _ => false,
        }
    }

    /// Whether `pred` holds for any field's type, of any variant.
    fn any_field(&self, def: DefId, args: &[Ty], pred: &mut dyn FnMut(Ty) -> bool) -> bool {
        let decls = &self.program.decls;
        let subst = Subst::pair(decls.params(def), args);
        if let Some(fields) = decls.fields.get(&def)
            && fields.iter().any(|(_, t)| pred(t.subst(&subst)))
        {
            return true;
        }
        let Some(variants) = self.program.variants.get(&def) else { return false };
        variants
            .values()
            .filter_map(|v| decls.fields.get(v))
            .any(|fields| fields.iter().any(|(_, t)| pred(t.subst(&subst))))
    }

    /// The guard type inside a type that holds one (`Result<MutexGuard<T>, _>` → `MutexGuard<T>`).
    pub fn guard_in(&self, ty: Ty) -> Option<Ty> {
        self.guard_in_at(ty, 0)
    }

    fn guard_in_at(&self, ty: Ty, depth: u32) -> Option<Ty> {
        if depth > DEPTH || !self.holds_guard(ty) {
            return None;
        }
        match ty.kind() {
            TyKind::Ext(path, args) => {
                if self.program.knowledge.type_info(*path).is_some_and(|i| i.guard) {
                    return Some(ty);
                }
                args.iter().find_map(|&a| self.guard_in_at(a, depth + 1))
            }
            TyKind::Tuple(args) => args.iter().find_map(|&a| self.guard_in_at(a, depth + 1)),
            TyKind::Array(t) | TyKind::Slice(t) => self.guard_in_at(*t, depth + 1),
            TyKind::Adt(def, args) => {
                let mut found = None;
                self.any_field(*def, args, &mut |t| {
                    found = self.guard_in_at(t, depth + 1);
                    found.is_some()
                });
                found
            }
            _ => None,
        }
    }

    /// Whether a value that can hold the guard type `guard` has the type `ty`.
    pub fn holds_type(&self, ty: Ty, guard: Ty) -> bool {
        ty.any(&mut |t| may_be_same(t, guard)) || matches!(ty.peel_refs().kind(), TyKind::Adt(..))
    }

    /// What a guard type gives access to.
    pub fn guarded(&self, guard: Ty) -> Ty {
        self.deref(guard).unwrap_or(Ty::UNKNOWN)
    }

    /// One step of `Deref` of an outside type (`Arc<T>` → `T`).
    pub fn deref(&self, ty: Ty) -> Option<Ty> {
        let (path, args) = ty.as_ext()?;
        let info = self.program.knowledge.type_info(path)?;
        Some(info.deref?.subst(&Subst::pair(info.params.iter().copied(), args)))
    }

    /// The workspace type that declares `field`, found as field access finds it.
    pub fn field_owner(&self, ty: Ty, field: Name) -> Option<DefId> {
        self.program.field_owner(ty, field)
    }

    /// What a type is as far as input and output go: through references, boxes, wrappers and fields.
    pub fn io_class(&self, ty: Ty) -> IoClass {
        self.io_class_at(ty, &mut FxHashSet::default(), 0)
    }

    fn io_class_at(&self, ty: Ty, seen: &mut FxHashSet<Ty>, depth: u32) -> IoClass {
        if depth > DEPTH {
            return IoClass::Unknown;
        }
        match ty.kind() {
            TyKind::Ref(_, t) | TyKind::Ptr(t) | TyKind::Slice(t) | TyKind::Array(t) => {
                self.io_class_at(*t, seen, depth + 1)
            }
            TyKind::Bool
            | TyKind::Char
            | TyKind::Str
            | TyKind::Int(_)
            | TyKind::Float(_)
            | TyKind::Never
            | TyKind::FnDef(..)
            | TyKind::ExtFn(_) => IoClass::Memory,
            TyKind::Param(_) | TyKind::Dyn(_) | TyKind::Opaque(_) | TyKind::Assoc(..) => IoClass::Generic,
            TyKind::Tuple(parts) => self.worst(parts.iter().copied(), seen, depth),
            TyKind::Ext(path, args) => {
                let Some(info) = self.program.knowledge.type_info(*path) else { return IoClass::Unknown };
                // A buffer is what it wraps; a channel's end is none of what it carries.
                let wraps = path.as_str().starts_with("std::io::") && !args.is_empty();
                if info.io_object && !wraps {
                    IoClass::Io
                } else if info.in_memory && args.is_empty() {
                    IoClass::Memory
                } else {
                    // A vector is what lies in it: bytes, or files.
                    self.worst(args.iter().copied(), seen, depth)
                }
            }
            TyKind::Adt(def, args) => {
                if !seen.insert(ty) {
                    return IoClass::Memory;
                }
                let mut fields = Vec::new();
                self.any_field(*def, args, &mut |t| {
                    fields.push(t);
                    false
                });
                self.worst(fields.into_iter(), seen, depth)
            }
            _ => IoClass::Unknown,
        }
    }

    /// `Io` beats `Generic` beats `Unknown` beats `Memory`.
    fn worst(&self, tys: impl Iterator<Item = Ty>, seen: &mut FxHashSet<Ty>, depth: u32) -> IoClass {
        let rank = |c| match c {
            IoClass::Memory => 0,
            IoClass::Unknown => 1,
            IoClass::Generic => 2,
            IoClass::Io => 3,
        };
        tys.map(|t| self.io_class_at(t, seen, depth + 1)).max_by_key(|&c| rank(c)).unwrap_or(IoClass::Memory)
    }
}

/// Whether two types may be one where parts of them are not known.
fn may_be_same(a: Ty, b: Ty) -> bool {
    let unsure = |t: Ty| t.any(&mut |part| part.is_unknown());
    a == b
        || match (a.as_ext(), b.as_ext()) {
            (Some((x, xs)), Some((y, ys))) => {
                x == y && xs.len() == ys.len() && (xs.iter().chain(ys).any(|&t| unsure(t)))
            }
            _ => false,
        }
}
