//! Whether code touches nothing that another thread could reach, so that it is the same with and without a lock.

use super::{Cx, Ending};
use crate::flow::IoClass;
use crate::hir::{ExprId, ExprKind, MacroKind};
use crate::infer::Callee;
use crate::program::{DefKind, Res};
use crate::ty::{Ty, TyKind};

/// Reads of a path, and what opens a file of one's own.
const OWN_IO: &[&str] = &[
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::read_dir",
    "std::fs::metadata",
    "std::fs::canonicalize",
    "std::fs::File::open",
    "std::path::Path::exists",
    "std::path::Path::is_file",
    "std::path::Path::is_dir",
    "std::path::Path::metadata",
    "std::thread::sleep",
];

impl Cx<'_> {
    /// Whether what the ending takes out of the region is private.
    pub(in crate::rules::contention) fn private(&self, ending: &Ending) -> bool {
        ending.exposed.iter().flat_map(|&root| self.tree.below(root)).all(|id| self.harmless(id))
    }

    fn harmless(&self, id: ExprId) -> bool {
        match self.tree.kind(id) {
            ExprKind::Missing | ExprKind::Await(_) => false,
            ExprKind::Path(_) => !matches!(self.types.res(id),
                Some(Res::Def(def)) if self.unit.a.program.def(def).kind == DefKind::Static),
            ExprKind::Call { .. } | ExprKind::Method { .. } => self.harmless_call(id),
            ExprKind::Macro(m) => {
                let name = m.path.segments.last().map_or("", |s| s.name.as_str());
                match m.kind {
                    MacroKind::Format => matches!(name, "format" | "write" | "writeln"),
                    MacroKind::Assert | MacroKind::Vec | MacroKind::VecRepeat | MacroKind::Diverge => true,
                    MacroKind::Matches => true,
                    _ => false,
                }
            }
            _ => true,
        }
    }

    fn harmless_call(&self, id: ExprId) -> bool {
        if id == self.site {
            return true;
        }
        match self.types.callee(id) {
            Callee::Ctor(_) => true,
            Callee::Ext(path) => {
                let text = path.as_str();
                if OWN_IO.contains(&text) {
                    return true;
                }
                let args = self.unit.arguments(id);
                if !text.starts_with("std::") {
                    return false;
                }
                let own_file = |&arg: &ExprId| self.opened_here(arg);
                if self.unit.cx().facts.tags(path).is_some_and(|t| t.blocks.is_some()) {
                    return args.first().is_some_and(own_file);
                }
                let shares = [
                    "std::sync::",
                    "std::thread::",
                    "std::env::",
                    "std::process::",
                    "std::net::",
                    "std::io::std",
                ];
                !shares.iter().any(|s| text.starts_with(s))
                    && args.iter().all(|a| self.unshared(self.types.expr(*a)) || self.opened_here(*a))
            }
            _ => false,
        }
    }

    /// Plain data, in memory.
    fn unshared(&self, ty: Ty) -> bool {
        let facts = self.unit.cx().facts;
        let handle = ty.any(&mut |t| match t.kind() {
            TyKind::Ext(path, _) => {
                path.as_str().starts_with("std::sync::")
                    || self
                        .unit
                        .a
                        .program
                        .knowledge
                        .of(t)
                        .is_none_or(|i| i.lock.is_some() || i.io_object || i.concurrent_map)
            }
            TyKind::Unknown => true,
            _ => false,
        });
        let guard = facts.holds_guard(ty.peel_refs());
        guard || !handle && facts.io_class(ty) == IoClass::Memory
    }

    /// A file that this function opened itself.
    fn opened_here(&self, value: ExprId) -> bool {
        let origins = self.unit.a.flow.origins.get(&self.unit.a.program, self.unit.body);
        let mut here = value;
        for _ in 0..16 {
            here = match self.tree.kind(here) {
                ExprKind::Local(local) if !origins.is_param(*local) => match origins.source(*local) {
                    Some(source) => source,
                    None => return false,
                },
                ExprKind::Ref { expr: e, .. } | ExprKind::Try(e) | ExprKind::Deref(e) => *e,
                ExprKind::Method { recv, name, .. }
                    if matches!(name.as_str(), "unwrap" | "expect" | "map_err") =>
                {
                    *recv
                }
                ExprKind::Call { .. } | ExprKind::Method { .. } => {
                    return matches!(self.types.callee(here), Callee::Ext(path) if matches!(
                        path.as_str(),
                        "std::fs::File::open" | "std::fs::File::create" | "std::fs::File::create_new"
                            | "std::fs::OpenOptions::open"
                    ));
                }
                _ => return false,
            };
        }
        false
    }
}
