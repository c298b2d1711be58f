//! What a type is behind handles, locks and cells.

use crate::knowledge::{Container, Knowledge, LockKind};
use crate::name::Name;
use crate::program::{DefId, Program};
use crate::ty::{Subst, Ty, TyKind};

/// A type taken apart: `Arc<RwLock<HashMap<K, V>>>` is a map behind one lock behind a handle.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What remains: the collection, or whatever else.
    pub core: Ty,
    /// Its kind, if it is a collection.
    pub container: Option<Container>,
    /// The innermost lock passed, by canonical path, and its kind.
    pub lock: Option<(Name, LockKind)>,
    /// How many locks were passed.
    pub locks: u8,
    /// A handle (`Arc`, `Rc`) was passed outside the innermost lock, or with no lock at all.
    pub handle: bool,
    /// A handle was passed *inside* a lock: copy on write.
    pub copy_on_write: bool,
    /// A `RefCell`, `Cell`, `OnceLock` or the like was passed.
    pub cell: bool,
    /// The collection shares itself out (`DashMap`).
    pub concurrent: bool,
    /// It bounds itself.
    pub bounded: bool,
}

/// Takes a type apart. `None` where it is unknown.
pub fn shape(kb: &Knowledge, ty: Ty) -> Option<Shape> {
    let mut shape = Shape {
        core: ty,
        container: None,
        lock: None,
        locks: 0,
        handle: false,
        copy_on_write: false,
        cell: false,
        concurrent: false,
        bounded: false,
    };
    let mut here = ty;
    for _ in 0..12 {
        match here.kind() {
            TyKind::Ref(_, inner) => here = *inner,
            TyKind::Future(inner) => here = *inner,
            TyKind::Ext(path, args) => {
                let info = kb.types.get(path)?;
                let subst = || Subst::pair(info.params.iter().copied(), args);
                if let Some(kind) = info.lock {
                    shape.lock = Some((*path, kind));
                    shape.locks += 1;
                    here = info.guarded?.subst(&subst());
                    continue;
                }
                if info.container.is_some() || info.concurrent_map || info.bounded {
                    shape.core = here;
                    shape.container = info.container;
                    shape.concurrent = info.concurrent_map;
                    shape.bounded = info.bounded;
                    return Some(shape);
                }
                if info.shared {
                    if shape.lock.is_some() {
                        shape.copy_on_write = true;
                    } else {
                        shape.handle = true;
                    }
                }
                match path.as_str() {
                    "std::cell::RefCell"
                    | "std::sync::OnceLock"
                    | "std::cell::OnceCell"
                    | "once_cell::sync::OnceCell"
                    | "std::thread::LocalKey"
                    | "tokio::sync::OnceCell" => {
                        shape.cell = true;
                        here = *args.first()?;
                    }
                    "std::sync::Weak" | "std::rc::Weak" => {
                        shape.handle = true;
                        here = *args.first()?;
                    }
                    "std::option::Option" | "std::result::Result" => here = *args.first()?,
                    _ => match info.deref {
                        Some(target) => here = target.subst(&subst()),
                        None => break,
                    },
                }
            }
            _ => break,
        }
    }
    if here.is_unknown() {
        return None;
    }
    shape.core = here;
    Some(shape)
}

/// What a lock of the workspace's own holds: of `Shared<HashMap<K, V>>` with `struct Shared<T>(RwLock<T>)` the
/// `RwLock<HashMap<K, V>>`, behind references, handles and options or not.
pub fn opened(program: &Program, ty: Ty) -> Option<Ty> {
    let (def, args) = record(program, ty)?;
    if args.is_empty() {
        return None;
    }
    let [(_, inner)] = program.decls.fields.get(&def)?.as_slice() else { return None };
    if !inner.has_params() {
        return None;
    }
    let held = inner.subst(&Subst::pair(program.decls.params(def), args));
    shape(&program.knowledge, held)?.lock.map(|_| held)
}

/// The type of the workspace that a type is behind references, handles and options.
pub fn record(program: &Program, ty: Ty) -> Option<(DefId, &'static [Ty])> {
    let mut ty = ty;
    for _ in 0..8 {
        match ty.kind() {
            TyKind::Ref(_, inner) => ty = *inner,
            TyKind::Adt(def, args) => return Some((*def, args)),
            TyKind::Ext(path, args) => {
                let info = program.knowledge.types.get(path)?;
                let option = matches!(path.as_str(), "std::option::Option" | "std::boxed::Box");
                if info.lock.is_some() || info.container.is_some() || !(info.shared || option) {
                    return None;
                }
                ty = *args.first()?;
            }
            _ => return None,
        }
    }
    None
}
