//! What the shared methods ask of the types that differ. A bound is only ever read off an operation that is known to
//! need it; an operation on such a value that is not known refuses the whole.

use std::collections::{BTreeMap, BTreeSet};

use uncork_lints::hir::{BinaryOp, Body, ExprId, ExprKind, MacroKind, PatKind};
use uncork_lints::infer::{BodyTypes, Callee};
use uncork_lints::program::BodyIx;
use uncork_lints::ty::{Ty, TyKind};

use super::super::tree::Tree;
use super::{Members, Moved, Step, blocked};

/// Traits by parameter.
pub(super) type Bounds = BTreeMap<u32, BTreeSet<&'static str>>;

const TAKES_APART: &str = "the shared code looks into what differs";

struct Reader<'r, 'a> {
    members: &'r Members<'r, 'a>,
    moved: &'r [Moved],
    body: BodyIx,
    hir: &'a Body,
    types: &'a BodyTypes,
    tree: Tree<'a>,
    bounds: &'r mut Bounds,
}

impl Members<'_, '_> {
    /// The bounds that the moved methods need.
    pub(super) fn bounds(&self, moved: &[Moved]) -> Step<Bounds> {
        let mut bounds = Bounds::new();
        for method in moved {
            let Some(&body) = self.program.body_of.get(&method.functions[self.model]) else { continue };
            let hir = self.program.body(body);
            let types = &self.cx.analysis.types[body.0 as usize];
            let tree = Tree::new(hir);
            let mut reader = Reader { members: self, moved, body, hir, types, tree, bounds: &mut bounds };
            reader.read()?;
        }
        Ok(bounds)
    }
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Step {
        let ids: Vec<ExprId> = self.tree.ids().collect();
        for id in ids {
            for number in self.members.order.clone() {
                let held = self.members.params[&number].types[self.members.model];
                let ty = self.types.expr(id);
                if ty.peel_refs() == held {
                    self.value(id, number)?;
                } else if self.holds(ty, held) {
                    self.holder(id, ty.peel_refs(), number, held)?;
                }
            }
        }
        for (index, pat) in self.hir.pats.iter().enumerate() {
            let ty = self.types.pat(uncork_lints::hir::PatId(index as u32)).peel_refs();
            let open = matches!(
                pat.kind,
                PatKind::Bind { sub: None, .. } | PatKind::Wild | PatKind::Ref(_) | PatKind::Typed { .. }
            );
            if !open
                && self.members.order.iter().any(|n| self.members.params[n].types[self.members.model] == ty)
            {
                return blocked(TAKES_APART, Some(self.members.program.at(self.body, pat.span)));
            }
        }
        Ok(())
    }

    fn holds(&self, ty: Ty, held: Ty) -> bool {
        // A closure's or function's type is not a holder.
        !matches!(ty.kind(), TyKind::FnDef(..) | TyKind::FnPtr(..) | TyKind::Closure(..))
            && ty.any(&mut |t| t == held)
    }

    fn refuse(&self, id: ExprId, reason: &'static str) -> Step {
        blocked(reason, Some(self.members.program.at(self.body, self.hir.expr(id).span)))
    }

    fn need(&mut self, number: u32, bound: &'static str) {
        self.bounds.entry(number).or_default().insert(bound);
    }

    fn is_moved(&self, callee: &Callee) -> bool {
        let Callee::Fn(def) = callee else { return false };
        self.moved.iter().any(|m| m.functions[self.members.model] == *def)
    }

    /// A value (or reference to one) of the type that differs.
    fn value(&mut self, id: ExprId, number: u32) -> Step {
        match &self.hir.expr(id).kind {
            ExprKind::Lit(_) | ExprKind::Struct { .. } | ExprKind::Path(_) | ExprKind::Binary { .. } => {
                return self.refuse(id, "the shared code makes what differs itself");
            }
            ExprKind::Call { .. } => {
                let callee = self.types.callee(id);
                if !matches!(callee, Callee::Ext(_)) && !self.is_moved(&callee) {
                    return self.refuse(id, "the shared code makes what differs itself");
                }
            }
            _ => {}
        }
        let Some((parent, kind)) = self.tree.parent_kind(id) else { return Ok(()) };
        match kind {
            ExprKind::Method { recv, name, .. } if *recv == id => match name.as_str() {
                "clone" | "to_owned" => {
                    self.need(number, "Clone");
                    Ok(())
                }
                "eq" | "ne" => {
                    self.need(number, "PartialEq");
                    Ok(())
                }
                "cmp" => {
                    self.need(number, "Ord");
                    Ok(())
                }
                "to_string" => {
                    self.need(number, "std::fmt::Display");
                    Ok(())
                }
                _ => self.refuse(parent, TAKES_APART),
            },
            ExprKind::Binary { op, lhs, rhs } => {
                let other = if *lhs == id { *rhs } else { *lhs };
                let same = self.types.expr(other).peel_refs() == self.types.expr(id).peel_refs();
                match op {
                    BinaryOp::Eq | BinaryOp::Ne if same => self.need(number, "PartialEq"),
                    BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge if same => {
                        self.need(number, "PartialOrd");
                    }
                    _ => return self.refuse(parent, TAKES_APART),
                }
                Ok(())
            }
            ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Not(_)
            | ExprKind::Neg(_)
            | ExprKind::Cast { .. }
            | ExprKind::Await(_)
            | ExprKind::Try(_)
            | ExprKind::For { .. } => self.refuse(parent, TAKES_APART),
            ExprKind::AssignOp { .. } => self.refuse(parent, TAKES_APART),
            _ => self.handed(id, parent, kind, number),
        }
    }

    /// Something that holds such values.
    fn holder(&mut self, id: ExprId, ty: Ty, number: u32, held: Ty) -> Step {
        if let TyKind::Ext(path, args) = ty.kind()
            && args.first().is_some_and(|&key| key.any(&mut |t| t == held))
        {
            let bounds: &[&'static str] = match path.as_str() {
                "std::collections::HashMap" | "std::collections::HashSet" => &["Eq", "std::hash::Hash"],
                "dashmap::DashMap" | "dashmap::DashSet" => &["Eq", "std::hash::Hash"],
                "std::collections::BTreeMap" | "std::collections::BTreeSet" => &["Ord"],
                _ => &[],
            };
            for bound in bounds {
                self.need(number, bound);
            }
        }
        let Some((parent, kind)) = self.tree.parent_kind(id) else { return Ok(()) };
        let ExprKind::Method { recv, name, .. } = kind else { return self.handed(id, parent, kind, number) };
        if *recv != id {
            return self.handed(id, parent, kind, number);
        }
        if matches!(self.types.callee(parent), Callee::Fn(_) | Callee::Virtual(_))
            && !self.is_moved(&self.types.callee(parent))
        {
            return self.refuse(parent, "what differs is given to a function that knows it");
        }
        match name.as_str() {
            "clone" | "to_owned" if shared(ty) => Ok(()),
            "clone" | "cloned" | "to_vec" | "to_owned" => {
                if !self.shares_what_it_clones(ty, held) {
                    self.need(number, "Clone");
                }
                Ok(())
            }
            "copied" => {
                self.need(number, "Copy");
                Ok(())
            }
            "contains" => {
                self.need(number, "PartialEq");
                Ok(())
            }
            name if neutral(name) => Ok(()),
            _ => self.refuse(parent, "an operation whose demands on what differs are not known"),
        }
    }

    /// `Option<&Arc<T>>::cloned` copies a handle.
    fn shares_what_it_clones(&self, ty: Ty, held: Ty) -> bool {
        match ty.kind() {
            TyKind::Ext(_, args) => args.iter().all(|&a| {
                let a = a.peel_refs();
                !a.any(&mut |t| t == held) || shared(a) || (a != held && self.shares_what_it_clones(a, held))
            }),
            TyKind::Tuple(args) => args.iter().all(|&a| {
                let a = a.peel_refs();
                !a.any(&mut |t| t == held) || shared(a) || (a != held && self.shares_what_it_clones(a, held))
            }),
            _ => false,
        }
    }

    /// A value or holder given to something else.
    fn handed(&mut self, id: ExprId, parent: ExprId, kind: &ExprKind, number: u32) -> Step {
        match kind {
            ExprKind::Call { callee, .. } if *callee != id => match self.types.callee(parent) {
                Callee::Ext(path) if takes_anything(path.as_str()) => Ok(()),
                callee if self.is_moved(&callee) => Ok(()),
                _ => self.refuse(parent, "what differs is given to a function that knows it"),
            },
            ExprKind::Method { name, .. } => match self.types.callee(parent) {
                callee if self.is_moved(&callee) => Ok(()),
                Callee::Fn(_) | Callee::Virtual(_) => {
                    self.refuse(parent, "what differs is given to a function that knows it")
                }
                _ if name.as_str() == "contains" => {
                    self.need(number, "PartialEq");
                    Ok(())
                }
                _ if neutral(name.as_str()) => Ok(()),
                _ => self.refuse(parent, "an operation whose demands on what differs are not known"),
            },
            ExprKind::Macro(call) => match call.kind {
                MacroKind::Vec | MacroKind::Dbg => Ok(()),
                MacroKind::Format | MacroKind::Log => {
                    let format = call.format.as_deref().unwrap_or("");
                    match (format.contains(":?}") || format.contains(":#?}"), format.matches('{').count()) {
                        (true, 1) => self.need(number, "std::fmt::Debug"),
                        (false, 1) => self.need(number, "std::fmt::Display"),
                        _ => return self.refuse(parent, TAKES_APART),
                    }
                    Ok(())
                }
                _ => self.refuse(parent, TAKES_APART),
            },
            ExprKind::Struct { .. } => {
                if self.members.member_of(self.types.expr(parent)).is_some() {
                    Ok(())
                } else {
                    self.refuse(parent, "what differs is kept in a type that knows it")
                }
            }
            _ => Ok(()),
        }
    }
}

fn shared(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Ext(path, _) if matches!(path.as_str(), "std::sync::Arc" | "std::rc::Rc" | "std::sync::Weak"))
}

/// Constructors and functions from outside that ask nothing of what they are given.
fn takes_anything(path: &str) -> bool {
    let last = path.rsplit("::").next().unwrap_or(path);
    matches!(last, "Some" | "Ok" | "Err" | "drop" | "replace" | "new" | "from_ref" | "once" | "Reverse")
}

/// Methods of containers, options, guards and iterators that ask nothing of what is held.
fn neutral(name: &str) -> bool {
    matches!(
        name,
        "all"
            | "and_modify"
            | "and_then"
            | "any"
            | "append"
            | "as_deref"
            | "as_mut"
            | "as_ref"
            | "as_slice"
            | "back"
            | "capacity"
            | "chain"
            | "clear"
            | "collect"
            | "contains_key"
            | "count"
            | "drain"
            | "entry"
            | "enumerate"
            | "expect"
            | "extend"
            | "filter"
            | "filter_map"
            | "find"
            | "find_map"
            | "first"
            | "flat_map"
            | "flatten"
            | "fold"
            | "for_each"
            | "front"
            | "get"
            | "get_mut"
            | "get_or_insert_with"
            | "insert"
            | "into_inner"
            | "into_iter"
            | "into_keys"
            | "into_values"
            | "inspect"
            | "is_empty"
            | "is_none"
            | "is_ok"
            | "is_err"
            | "is_some"
            | "is_some_and"
            | "iter"
            | "iter_mut"
            | "keys"
            | "key"
            | "last"
            | "len"
            | "lock"
            | "map"
            | "map_err"
            | "map_or"
            | "map_or_else"
            | "max_by_key"
            | "min_by_key"
            | "next"
            | "nth"
            | "ok"
            | "ok_or"
            | "ok_or_else"
            | "or_else"
            | "or_insert"
            | "or_insert_with"
            | "pair"
            | "partition"
            | "peekable"
            | "pop"
            | "pop_back"
            | "pop_front"
            | "position"
            | "push"
            | "push_back"
            | "push_front"
            | "read"
            | "remove"
            | "remove_entry"
            | "replace"
            | "reserve"
            | "retain"
            | "rev"
            | "skip"
            | "skip_while"
            | "sort_by"
            | "sort_by_key"
            | "sort_unstable_by"
            | "sort_unstable_by_key"
            | "split_off"
            | "step_by"
            | "swap_remove"
            | "take"
            | "take_while"
            | "then"
            | "then_some"
            | "truncate"
            | "try_lock"
            | "try_read"
            | "try_write"
            | "unwrap"
            | "unwrap_or"
            | "unwrap_or_else"
            | "value"
            | "value_mut"
            | "values"
            | "values_mut"
            | "write"
            | "zip"
    )
}
