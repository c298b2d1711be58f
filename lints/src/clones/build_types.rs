//! Paths and types in terms.

use crate::hir::*;
use crate::name::well_known as wk;
use crate::source::Span;

use super::build::{Builder, MAX_DEPTH};
use super::term::{Atom, Kind};

impl Builder<'_> {
    /// Modules before a type say only where it is declared, so they are dropped; before a function one is kept.
    pub(super) fn path(&mut self, path: &Path, value: bool) {
        let upper = |s: &Segment| s.name.as_str().starts_with(|c: char| c.is_uppercase());
        let count = path.segments.len();
        let skip = match path.segments.iter().position(upper) {
            Some(first) => first,
            None => count.saturating_sub(2),
        };
        let at = self.open(Kind::Path, (count - skip) as u64, Atom::None, path.span);
        if let Some(qself) = &path.qself {
            self.ty(&qself.0);
        }
        let mut after_self = false;
        for (index, segment) in path.segments.iter().enumerate().skip(skip) {
            let last = index + 1 == count;
            let (extra, atom) = if segment.name == wk::SELF_TYPE {
                (u64::MAX, Atom::None)
            } else if after_self {
                (0, Atom::OwnMethod(segment.name))
            } else if let Some(hash) = self.vocabulary(segment.name) {
                (hash, Atom::None)
            } else if value && last && !(count == 1 && camel(segment.name.as_str())) {
                (0, Atom::Value(segment.name))
            } else {
                (0, Atom::Type(segment.name))
            };
            after_self = segment.name == wk::SELF_TYPE;
            let at = self.open(Kind::Segment, extra, atom, segment.span);
            if let Some(args) = &segment.args {
                self.generics(args);
            }
            self.close(at);
        }
        self.close(at);
    }

    pub(super) fn generics(&mut self, args: &GenericArgs) {
        for ty in &args.types {
            self.ty(ty);
        }
        for (_, ty) in &args.bindings {
            self.ty(ty);
        }
    }

    pub(super) fn ty(&mut self, ty: &TypeRef) {
        let span = ty.span;
        if self.depth >= MAX_DEPTH {
            self.leaf(Kind::Type, 0, Atom::None, span);
            return;
        }
        self.depth += 1;
        match &ty.kind {
            TypeKind::Path(path) => self.path(path, false),
            TypeKind::Infer => self.leaf(Kind::Type, 1, Atom::None, span),
            TypeKind::Never => self.leaf(Kind::Type, 2, Atom::None, span),
            TypeKind::Ref { mutable, inner } => self.wrap(3 + u64::from(*mutable), inner, span),
            TypeKind::Ptr { mutable, inner } => self.wrap(5 + u64::from(*mutable), inner, span),
            TypeKind::Slice(inner) => self.wrap(7, inner, span),
            TypeKind::Array(inner) => self.wrap(8, inner, span),
            TypeKind::Tuple(items) => {
                let at = self.open(Kind::Type, 16 + items.len() as u64, Atom::None, span);
                for item in items {
                    self.ty(item);
                }
                self.close(at);
            }
            TypeKind::Fn { params, ret } => {
                let at = self.open(Kind::Type, 9, Atom::None, span);
                for param in params {
                    self.ty(param);
                }
                if let Some(ret) = ret {
                    self.ty(ret);
                }
                self.close(at);
            }
            TypeKind::Impl(bounds) => self.bounds(10, bounds, span),
            TypeKind::Dyn(bounds) => self.bounds(11, bounds, span),
            TypeKind::Const | TypeKind::Unknown => {
                let atom = self.text_of(span);
                self.leaf(Kind::Type, 12, atom, span);
            }
        }
        self.depth -= 1;
    }

    fn wrap(&mut self, extra: u64, inner: &TypeRef, span: Span) {
        let at = self.open(Kind::Type, extra, Atom::None, span);
        self.ty(inner);
        self.close(at);
    }

    fn bounds(&mut self, extra: u64, bounds: &[Bound], span: Span) {
        let at = self.open(Kind::Type, extra | ((bounds.len() as u64) << 8), Atom::None, span);
        for bound in bounds {
            self.path(bound, false);
        }
        self.close(at);
    }
}

/// Whether a lone name can only be a type's (or its constructor's): variants that one writes alone are vocabulary.
fn camel(name: &str) -> bool {
    name.starts_with(|c: char| c.is_uppercase()) && name.contains(|c: char| c.is_lowercase())
}
