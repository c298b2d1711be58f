//! What a struct is made of, by declared type: a keyed collection behind a lock, a flag, a counter, a configuration…

use crate::hir::ItemKind;
use crate::knowledge::{Container, LockKind};
use crate::places::opened;
use crate::program::{DefId, Program};
use crate::ty::{Ty, TyKind};

/// What a field is, names and type arguments aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldClass {
    /// Who may change it.
    pub access: Access,
    /// What it holds.
    pub what: What,
}

/// How a field's content can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// Through `&mut`, or not at all.
    Plain,
    /// Under a lock or in a cell.
    Locked,
    /// Concurrently by itself: atomics, concurrent maps.
    Concurrent,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum What {
    /// Map or set.
    Keyed,
    /// Vector, queue, heap.
    Sequence,
    Flag,
    Number,
    Text,
    /// A struct or enum of the workspace.
    Record,
    /// A struct of the workspace that owns a keyed collection.
    KeyedRecord,
    /// A trait object, function pointer or type parameter.
    Open,
    /// A type from outside.
    Outside,
    Unknown,
}

impl FieldClass {
    /// A keyed collection.
    pub fn is_store(self) -> bool {
        matches!(self.what, What::Keyed | What::KeyedRecord)
    }

    /// A keyed collection that several threads may change: what makes a manager of a struct.
    pub fn is_shared_store(self) -> bool {
        self.access != Access::Plain && self.is_store()
    }
}

/// Classifies the fields of a struct, in order.
pub fn classify(program: &Program, def: DefId) -> Vec<FieldClass> {
    program
        .decls
        .fields
        .get(&def)
        .map(|fields| fields.iter().map(|&(_, ty)| class(program, ty, 0)).collect())
        .unwrap_or_default()
}

/// How many structs deep a collection is looked for (`RwLock<State>` where `State` holds the map).
const MAX_DEPTH: u8 = 1;

fn class(program: &Program, ty: Ty, depth: u8) -> FieldClass {
    let mut ty = opened(program, ty).unwrap_or(ty);
    let mut access = Access::Plain;
    // Handles, options and locks around the content.
    for _ in 0..12 {
        match ty.kind() {
            TyKind::Ref(_, inner) => ty = *inner,
            TyKind::Ext(path, args) => {
                let info = program.knowledge.type_info(*path);
                let Some(&inner) = args.first() else { break };
                match path.as_str() {
                    "std::option::Option" | "std::boxed::Box" => ty = inner,
                    "std::cell::RefCell" | "std::cell::Cell" => {
                        access = Access::Locked;
                        ty = inner;
                    }
                    _ => match info {
                        Some(i) if i.lock.is_some_and(|l| l != LockKind::Semaphore) => {
                            access = Access::Locked;
                            ty = inner;
                        }
                        Some(i) if i.shared && i.container.is_none() && !i.concurrent_map => ty = inner,
                        _ => break,
                    },
                }
            }
            _ => break,
        }
    }
    let what = match ty.kind() {
        TyKind::Ext(path, _) => {
            let info = program.knowledge.type_info(*path);
            if info.is_some_and(|i| i.concurrent_map) {
                access = Access::Concurrent;
                What::Keyed
            } else if let Some(container) = info.and_then(|i| i.container) {
                match container {
                    Container::Map | Container::OrderedMap | Container::Set | Container::OrderedSet => {
                        What::Keyed
                    }
                    Container::Vec | Container::Deque | Container::Heap => What::Sequence,
                    Container::String => What::Text,
                }
            } else if let Some(atomic) = path.as_str().strip_prefix("std::sync::atomic::Atomic") {
                access = Access::Concurrent;
                if atomic == "Bool" { What::Flag } else { What::Number }
            } else {
                What::Outside
            }
        }
        TyKind::Bool => What::Flag,
        TyKind::Int(_) | TyKind::Float(_) => What::Number,
        TyKind::Str => What::Text,
        TyKind::Slice(_) | TyKind::Array(_) => What::Sequence,
        TyKind::Adt(def, _) => match owned_keyed(program, *def, depth) {
            Some(inside) => {
                access = access.max(inside);
                What::KeyedRecord
            }
            None => What::Record,
        },
        TyKind::Dyn(_) | TyKind::FnPtr(..) | TyKind::Param(_) | TyKind::Opaque(_) => What::Open,
        TyKind::Unknown => What::Unknown,
        _ => What::Outside,
    };
    FieldClass { access, what }
}

/// How the keyed collection that a struct owns can be changed, if it owns one.
fn owned_keyed(program: &Program, def: DefId, depth: u8) -> Option<Access> {
    if depth >= MAX_DEPTH || !matches!(program.item(def).kind, ItemKind::Struct(_)) {
        return None;
    }
    let fields = program.decls.fields.get(&def)?;
    let classes = fields.iter().map(|&(_, ty)| class(program, ty, depth + 1));
    classes.filter(|c| c.what == What::Keyed).map(|c| c.access).max()
}

/// How alike two structs' fields are, order aside: twice the common classes over all, from 0 to 1.
pub fn likeness(a: &[FieldClass], b: &[FieldClass]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_unstable();
    b.sort_unstable();
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    2.0 * f64::from(common) / (a.len() + b.len()) as f64
}
