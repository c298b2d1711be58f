//! Paths, types, bounds and generics.

use syn::spanned::Spanned as _;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound, WherePredicate};

use super::cx::{Lower, MAX_DEPTH};
use crate::hir::{Bound, GenericArgs, GenericParam, Generics, Path, Segment, TypeKind, TypeRef};
use crate::name::{Name, well_known};
use crate::source::Span;

impl Lower<'_> {
    /// A path, with its `<T as Trait>` prefix.
    pub(super) fn path(&mut self, qself: Option<&syn::QSelf>, path: &syn::Path) -> Path {
        let mut span: Option<Span> = None;
        if let Some(q) = qself {
            span = Some(self.span(q.lt_token.span));
        } else if let Some(colon) = &path.leading_colon {
            let lo = self.lo(colon.spans[0]);
            span = Some(Span::new(lo, lo + 2));
        }
        let qself = qself.map(|q| Box::new((self.ty(&q.ty), q.position as u32)));
        let mut segments = Vec::with_capacity(path.segments.len());
        for segment in &path.segments {
            let (name, at) = match segments.last() {
                Some(_) => self.ident_after(span.map_or(0, |s| s.hi), "::", &segment.ident),
                None => self.ident(&segment.ident),
            };
            let (args, hi) = self.path_args(&segment.arguments, at.hi);
            span = Some(span.unwrap_or(at).to(Span::new(at.lo, hi)));
            segments.push(Segment { name, span: at, args });
        }
        if segments.is_empty() {
            // Never made by the parser; the contract says that a path has a segment.
            segments.push(Segment { name: well_known::EMPTY, span: Span::default(), args: None });
        }
        Path {
            global: path.leading_colon.is_some() && qself.is_none(),
            qself,
            segments: segments.into(),
            span: span.unwrap_or_default(),
        }
    }

    fn path_args(&mut self, args: &PathArguments, hi: u32) -> (Option<Box<GenericArgs>>, u32) {
        match args {
            PathArguments::None => (None, hi),
            PathArguments::AngleBracketed(args) => {
                let generic = self.generic_args(args);
                let hi = match (args.args.last(), generic.types.last()) {
                    (Some(GenericArgument::Type(_)), Some(last)) => {
                        self.hi_after(last.span.hi, b'>', args.gt_token.spans[0])
                    }
                    _ => self.hi(args.gt_token.spans[0]),
                };
                (Some(Box::new(generic)), hi)
            }
            PathArguments::Parenthesized(args) => {
                let inputs: Vec<TypeRef> = args.inputs.iter().map(|a| self.ty(&a.ty)).collect();
                let parens = self.span(args.paren_token.span.join());
                let output = match &args.output {
                    ReturnType::Default => TypeRef {
                        kind: TypeKind::Tuple(Box::default()),
                        span: Span::new(parens.hi, parens.hi),
                    },
                    ReturnType::Type(_, ty) => self.ty(ty),
                };
                let hi = output.span.hi.max(parens.hi);
                let tuple = TypeRef { kind: TypeKind::Tuple(inputs.into()), span: parens };
                let args = GenericArgs {
                    types: [tuple].into(),
                    bindings: [(well_known::OUTPUT, output)].into(),
                    parenthesized: true,
                };
                (Some(Box::new(args)), hi)
            }
        }
    }

    /// What stands in angle brackets.
    pub(super) fn generic_args(&mut self, args: &syn::AngleBracketedGenericArguments) -> GenericArgs {
        let mut types = Vec::new();
        let mut bindings = Vec::new();
        for arg in &args.args {
            match arg {
                GenericArgument::Type(ty) => types.push(self.ty(ty)),
                GenericArgument::Const(value) => {
                    let span = match value {
                        syn::Expr::Lit(lit) => self.span(lit.lit.span()),
                        syn::Expr::Block(b) => self.span(b.block.brace_token.span.join()),
                        other => self.span(super::exprs::first_token(other)),
                    };
                    types.push(TypeRef { kind: TypeKind::Const, span });
                }
                GenericArgument::AssocType(assoc) => {
                    let name = self.name(&assoc.ident);
                    bindings.push((name, self.ty(&assoc.ty)));
                }
                GenericArgument::Constraint(constraint) => {
                    let (name, span) = self.ident(&constraint.ident);
                    let bounds = self.bounds(&constraint.bounds);
                    bindings.push((name, TypeRef { kind: TypeKind::Impl(bounds), span }));
                }
                _ => {}
            }
        }
        GenericArgs { types: types.into(), bindings: bindings.into(), parenthesized: false }
    }

    /// A type.
    pub(super) fn ty(&mut self, ty: &Type) -> TypeRef {
        if self.depth >= MAX_DEPTH {
            let lo = self.lo(first_token(ty));
            return TypeRef { kind: TypeKind::Unknown, span: Span::new(lo, lo) };
        }
        self.depth += 1;
        let ty = self.ty_inner(ty);
        self.depth -= 1;
        ty
    }

    fn ty_inner(&mut self, ty: &Type) -> TypeRef {
        match ty {
            Type::Path(p) => {
                let path = self.path(p.qself.as_ref(), &p.path);
                TypeRef { span: path.span, kind: TypeKind::Path(Box::new(path)) }
            }
            Type::Reference(r) => {
                let inner = self.ty(&r.elem);
                let spelt = if r.mutability.is_some() { "&mut " } else { "&" };
                let lo = match r.lifetime {
                    Some(_) => self.lo(r.and_token.spans[0]),
                    None => self.lo_before(inner.span.lo, spelt, r.and_token.spans[0]),
                };
                let span = Span::new(lo, inner.span.hi);
                TypeRef {
                    kind: TypeKind::Ref { mutable: r.mutability.is_some(), inner: Box::new(inner) },
                    span,
                }
            }
            Type::Ptr(p) => {
                let inner = self.ty(&p.elem);
                let span = Span::new(self.lo(p.star_token.spans[0]), inner.span.hi);
                let mutable = matches!(p.mutability, syn::PointerMutability::Mut(_));
                TypeRef { kind: TypeKind::Ptr { mutable, inner: Box::new(inner) }, span }
            }
            Type::Slice(s) => {
                let kind = TypeKind::Slice(Box::new(self.ty(&s.elem)));
                TypeRef { kind, span: self.span(s.bracket_token.span.join()) }
            }
            Type::Array(a) => {
                let kind = TypeKind::Array(Box::new(self.ty(&a.elem)));
                TypeRef { kind, span: self.span(a.bracket_token.span.join()) }
            }
            Type::Tuple(t) => {
                let kind = TypeKind::Tuple(t.elems.iter().map(|t| self.ty(t)).collect());
                TypeRef { kind, span: self.span(t.paren_token.span.join()) }
            }
            Type::Paren(p) => {
                let inner = self.ty(&p.elem);
                TypeRef { kind: inner.kind, span: self.span(p.paren_token.span.join()) }
            }
            Type::Group(g) => self.ty(&g.elem),
            Type::Infer(i) => TypeRef { kind: TypeKind::Infer, span: self.span(i.underscore_token.spans[0]) },
            Type::Never(n) => TypeRef { kind: TypeKind::Never, span: self.span(n.bang_token.spans[0]) },
            Type::ImplTrait(t) => {
                let lo = self.span(t.impl_token.span);
                let bounds = self.bounds(&t.bounds);
                let span = bounds.iter().fold(lo, |s, b| s.to(b.span));
                TypeRef { kind: TypeKind::Impl(bounds), span }
            }
            Type::TraitObject(t) => {
                let bounds = self.bounds(&t.bounds);
                let first = match &t.dyn_token {
                    Some(token) => self.span(token.span),
                    None => bounds.first().map_or(Span::default(), |b| b.span),
                };
                let span = bounds.iter().fold(first, |s, b| s.to(b.span));
                TypeRef { kind: TypeKind::Dyn(bounds), span }
            }
            Type::FnPtr(f) => {
                let params = f.inputs.iter().map(|a| self.ty(&a.ty)).collect();
                let ret = self.ret(&f.output).map(Box::new);
                let parens = self.hi(f.paren_token.span.close());
                let hi = ret.as_ref().map_or(parens, |r| r.span.hi);
                let span = Span::new(self.lo(f.fn_token.span), hi);
                TypeRef { kind: TypeKind::Fn { params, ret }, span }
            }
            Type::Macro(m) => {
                let lo = m.mac.path.segments.first().map_or(0, |s| self.lo(s.ident.span()));
                let span = Span::new(lo, self.hi(m.mac.delimiter.span().close()));
                TypeRef { kind: TypeKind::Unknown, span }
            }
            Type::Verbatim(tokens) => TypeRef { kind: TypeKind::Unknown, span: self.span(tokens.span()) },
            _ => TypeRef { kind: TypeKind::Unknown, span: Span::default() },
        }
    }

    /// A return type; `None` for none.
    pub(super) fn ret(&mut self, ret: &ReturnType) -> Option<TypeRef> {
        match ret {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(self.ty(ty)),
        }
    }

    /// Trait bounds; lifetimes and `?Trait` are dropped.
    pub(super) fn bounds<'b, B>(&mut self, bounds: B) -> Box<[Bound]>
    where
        B: IntoIterator<Item = &'b TypeParamBound>,
    {
        let mut out = Vec::new();
        for bound in bounds {
            if let TypeParamBound::Trait(t) = bound
                && t.maybe.is_none()
            {
                out.push(self.path(None, &t.path));
            }
        }
        out.into()
    }

    /// Generic parameters with the `where` clause folded in.
    pub(super) fn generics(&mut self, generics: &syn::Generics) -> Generics {
        if generics.params.is_empty() && generics.where_clause.is_none() {
            return Generics::default();
        }
        let mut params: Vec<GenericParam> = Vec::with_capacity(generics.params.len());
        for param in &generics.params {
            match param {
                syn::GenericParam::Type(t) => {
                    let name = self.name(&t.ident);
                    let bounds = self.bounds(&t.bounds);
                    let default = t.default.as_ref().map(|(_, ty)| self.ty(ty));
                    params.push(GenericParam { name, bounds, default, is_const: false });
                }
                syn::GenericParam::Const(c) => {
                    let name = self.name(&c.ident);
                    params.push(GenericParam { name, bounds: Box::default(), default: None, is_const: true });
                }
                syn::GenericParam::Lifetime(_) => {}
            }
        }
        let mut wheres = Vec::new();
        for predicate in generics.where_clause.iter().flat_map(|w| &w.predicates) {
            let WherePredicate::Type(p) = predicate else { continue };
            let bounds = self.bounds(&p.bounds);
            match plain_name(self, &p.bounded_ty).and_then(|n| params.iter_mut().find(|g| g.name == n)) {
                Some(param) => {
                    let mut all = std::mem::take(&mut param.bounds).into_vec();
                    all.extend(bounds);
                    param.bounds = all.into();
                }
                None => wheres.push((self.ty(&p.bounded_ty), bounds)),
            }
        }
        Generics { params: params.into(), wheres: wheres.into() }
    }
}

/// The first token of a type, without recursion.
fn first_token(mut ty: &Type) -> proc_macro2::Span {
    loop {
        ty = match ty {
            Type::Group(g) => &g.elem,
            Type::Array(t) => return t.bracket_token.span.open(),
            Type::Slice(t) => return t.bracket_token.span.open(),
            Type::Paren(t) => return t.paren_token.span.open(),
            Type::Tuple(t) => return t.paren_token.span.open(),
            Type::FnPtr(t) => return t.fn_token.span,
            Type::ImplTrait(t) => return t.impl_token.span,
            Type::Infer(t) => return t.underscore_token.spans[0],
            Type::Macro(t) => return super::exprs::path_token(None, &t.mac.path),
            Type::Never(t) => return t.bang_token.spans[0],
            Type::Path(t) => return super::exprs::path_token(t.qself.as_ref(), &t.path),
            Type::Ptr(t) => return t.star_token.spans[0],
            Type::Reference(t) => return t.and_token.spans[0],
            Type::TraitObject(t) => match (&t.dyn_token, t.bounds.first()) {
                (Some(token), _) => return token.span,
                (None, Some(TypeParamBound::Trait(b))) => return super::exprs::path_token(None, &b.path),
                _ => return proc_macro2::Span::call_site(),
            },
            _ => return proc_macro2::Span::call_site(),
        }
    }
}

/// `T` alone.
fn plain_name(lower: &Lower<'_>, ty: &Type) -> Option<Name> {
    match ty {
        Type::Path(p) if p.qself.is_none() => p.path.get_ident().map(|i| lower.name(i)),
        _ => None,
    }
}
