//! Patterns and the locals they bind.

use syn::Pat as SynPat;

use super::cx::{Lower, MAX_DEPTH};
use crate::hir::{Lit, Local, PatId, PatKind};
use crate::name::{Name, well_known};
use crate::source::Span;

impl Lower<'_> {
    /// A whole pattern; its bindings are new locals, visible from here on. A guard inside is lowered in place.
    pub(super) fn pattern(&mut self, pat: &mut SynPat, irrefutable: bool) -> PatId {
        let begun = self.body.begin_pattern();
        let was = std::mem::replace(&mut self.body.irrefutable, irrefutable);
        let id = self.pat(pat);
        self.body.irrefutable = was;
        self.body.end_pattern(begun);
        id
    }

    fn pat(&mut self, pat: &mut SynPat) -> PatId {
        self.pat_at(pat).0
    }

    /// The pattern and its span with parentheses.
    fn pat_at(&mut self, pat: &mut SynPat) -> (PatId, Span) {
        if self.depth >= MAX_DEPTH {
            let lo = self.lo(first_token(pat));
            let span = Span::new(lo, lo);
            return (self.alloc_pat(PatKind::Missing, span), span);
        }
        self.depth += 1;
        let out = self.pat_inner(pat);
        self.depth -= 1;
        out
    }

    fn pat_inner(&mut self, pat: &mut SynPat) -> (PatId, Span) {
        let (kind, span) = match pat {
            SynPat::Ident(p) => self.pat_ident(p),
            SynPat::Wild(p) => (PatKind::Wild, self.span(p.underscore_token.spans[0])),
            SynPat::Rest(p) => {
                let lo = self.lo(p.dot2_token.spans[0]);
                (PatKind::Rest, Span::new(lo, lo + 2))
            }
            SynPat::Paren(p) => {
                let (id, _) = self.pat_at(&mut p.pat);
                return (id, self.span(p.paren_token.span.join()));
            }
            SynPat::Reference(p) => {
                let (inner, at) = self.pat_at(&mut p.pat);
                (PatKind::Ref(inner), Span::new(self.lo(p.and_token.spans[0]), at.hi))
            }
            SynPat::Tuple(p) => {
                let pats = p.elems.iter_mut().map(|p| self.pat(p)).collect();
                (PatKind::Tuple(pats), self.span(p.paren_token.span.join()))
            }
            SynPat::Slice(p) => {
                let pats = p.elems.iter_mut().map(|p| self.pat(p)).collect();
                (PatKind::Slice(pats), self.span(p.bracket_token.span.join()))
            }
            SynPat::TupleStruct(p) => {
                let path = self.path(p.qself.as_ref(), &p.path);
                let pats = p.elems.iter_mut().map(|p| self.pat(p)).collect();
                let span = Span::new(path.span.lo, self.hi(p.paren_token.span.close()));
                (PatKind::TupleStruct { path: Box::new(path), pats }, span)
            }
            SynPat::Struct(p) => self.pat_struct(p),
            SynPat::Path(p) => {
                let path = self.path(p.qself.as_ref(), &p.path);
                let span = path.span;
                (PatKind::Path(Box::new(path)), span)
            }
            SynPat::Lit(p) => {
                let (lit, span) = self.lit(&p.lit);
                (PatKind::Lit(lit), span)
            }
            SynPat::Range(p) => self.pat_range(p),
            SynPat::Or(p) => {
                let mut span: Option<Span> = None;
                let mut pats = Vec::with_capacity(p.cases.len());
                for case in &mut p.cases {
                    let (id, at) = self.pat_at(case);
                    span = Some(span.map_or(at, |s| s.to(at)));
                    pats.push(id);
                }
                (PatKind::Or(pats.into()), span.unwrap_or_default())
            }
            SynPat::Type(p) => {
                let (inner, at) = self.pat_at(&mut p.pat);
                let ty = self.ty(&p.ty);
                let span = at.to(ty.span);
                (PatKind::Typed { pat: inner, ty: Box::new(ty) }, span)
            }
            // A guard belongs to the arm; here only where the parser put one inside a pattern.
            SynPat::Guard(p) => {
                let (id, at) = self.pat_at(&mut p.pat);
                self.expr(&mut p.guard);
                return (id, at);
            }
            SynPat::Macro(p) => {
                let lo = p.mac.path.segments.first().map_or(0, |s| self.lo(s.ident.span()));
                (PatKind::Missing, Span::new(lo, self.hi(p.mac.delimiter.span().close())))
            }
            SynPat::Const(p) => {
                let span = Span::new(self.lo(p.const_token.span), self.hi(p.block.brace_token.span.close()));
                (PatKind::Missing, span)
            }
            SynPat::Verbatim(tokens) => (PatKind::Missing, self.tokens_span(tokens)),
            _ => (PatKind::Missing, Span::default()),
        };
        (self.alloc_pat(kind, span), span)
    }

    fn pat_ident(&mut self, p: &mut syn::PatIdent) -> (PatKind, Span) {
        let (name, at) = self.ident(&p.ident);
        let plain = p.by_ref.is_none() && p.mutability.is_none() && p.subpat.is_none();
        if plain && !self.body.irrefutable && begins_upper(name) {
            return (PatKind::Path(Box::new(path_of(name, at))), at);
        }
        let lo = match (&p.by_ref, &p.mutability) {
            (Some(token), _) => self.lo(token.span),
            (None, Some(token)) => self.lo(token.span),
            (None, None) => at.lo,
        };
        let local = self.body.bind(Local {
            name,
            span: at,
            mutable: p.mutability.is_some(),
            by_ref: p.by_ref.is_some(),
        });
        let sub = p.subpat.as_mut().map(|(_, sub)| self.pat_at(sub));
        let hi = sub.map_or(at.hi, |(_, s)| s.hi);
        (PatKind::Bind { local, sub: sub.map(|(id, _)| id) }, Span::new(lo, hi))
    }

    fn pat_struct(&mut self, p: &mut syn::PatStruct) -> (PatKind, Span) {
        let path = self.path(p.qself.as_ref(), &p.path);
        let mut fields: Vec<(Name, PatId)> = Vec::with_capacity(p.fields.len());
        for field in &mut p.fields {
            if self.compiled_out(&field.attrs) {
                continue;
            }
            let name = self.member(&field.member).0;
            // `S { X }` binds whatever its case.
            let shorthand = field.colon_token.is_none();
            let was = self.body.irrefutable;
            self.body.irrefutable |= shorthand;
            let pat = self.pat(&mut field.pat);
            self.body.irrefutable = was;
            fields.push((name, pat));
        }
        let span = Span::new(path.span.lo, self.hi(p.brace_token.span.close()));
        (PatKind::Struct { path: Box::new(path), fields: fields.into(), rest: p.rest.is_some() }, span)
    }

    fn pat_range(&mut self, p: &mut syn::PatRange) -> (PatKind, Span) {
        let dots = match &p.limits {
            syn::RangeLimits::HalfOpen(t) => {
                let lo = self.lo(t.spans[0]);
                Span::new(lo, lo + 2)
            }
            syn::RangeLimits::Closed(t) => {
                let lo = self.lo(t.spans[0]);
                Span::new(lo, lo + 3)
            }
        };
        let lo = p.start.as_ref().map_or(dots.lo, |e| self.lo(super::exprs::first_token(e)));
        let hi = p.end.as_ref().map_or(dots.hi, |e| match &**e {
            syn::Expr::Lit(l) => self.hi(l.lit.span()),
            syn::Expr::Path(p) => p.path.segments.last().map_or(dots.hi, |s| self.ident(&s.ident).1.hi),
            _ => dots.hi,
        });
        (PatKind::Range, Span::new(lo, hi))
    }

    /// A literal and where it stands.
    pub(super) fn lit(&mut self, lit: &syn::Lit) -> (Lit, Span) {
        let span = self.lit_span(lit);
        let suffix = |s: &str| (!s.is_empty()).then(|| Name::new(s));
        let kind = match lit {
            syn::Lit::Str(s) => Lit::Str(self.str_value(s, span)),
            syn::Lit::ByteStr(_) => Lit::ByteStr,
            syn::Lit::CStr(_) => Lit::CStr,
            syn::Lit::Byte(_) => Lit::Byte,
            syn::Lit::Char(_) => Lit::Char,
            syn::Lit::Int(i) => Lit::Int(i.base10_digits().parse().ok(), suffix(i.suffix())),
            syn::Lit::Float(f) => Lit::Float(suffix(f.suffix())),
            syn::Lit::Bool(b) => Lit::Bool(b.value),
            _ => Lit::ByteStr,
        };
        (kind, span)
    }

    fn lit_span(&self, lit: &syn::Lit) -> Span {
        let lo = self.lo(lit.span());
        let rest = self.text.as_bytes().get(lo as usize..).unwrap_or_default();
        let hi = match lit {
            syn::Lit::Int(_) | syn::Lit::Bool(_) => lo + super::cx::ident_len(rest) as u32,
            syn::Lit::Str(_) if rest.first() == Some(&b'"') => {
                let end = memchr::memchr2(b'"', b'\\', rest.get(1..).unwrap_or_default());
                match end {
                    Some(n) if rest.get(n + 1) == Some(&b'"') => lo + n as u32 + 2,
                    _ => self.hi(lit.span()),
                }
            }
            _ => self.hi(lit.span()),
        };
        Span::new(lo, hi.max(lo))
    }

    /// The value of a string literal; read from the source where it has no escape.
    pub(super) fn str_value(&self, lit: &syn::LitStr, span: Span) -> Box<str> {
        let raw = self.text.get(span.lo as usize..span.hi as usize).unwrap_or("");
        match raw.strip_prefix('"').and_then(|s| s.strip_suffix('"')) {
            Some(inner) if !inner.as_bytes().iter().any(|b| matches!(b, b'\\' | b'\r')) => inner.into(),
            _ => lit.value().into(),
        }
    }
}

/// The first token of a pattern, without recursion.
fn first_token(mut pat: &SynPat) -> proc_macro2::Span {
    loop {
        pat = match pat {
            SynPat::Guard(p) => &p.pat,
            SynPat::Type(p) => &p.pat,
            SynPat::Or(p) => match p.cases.first() {
                Some(case) => case,
                None => return proc_macro2::Span::call_site(),
            },
            SynPat::Ident(p) => return p.ident.span(),
            SynPat::Paren(p) => return p.paren_token.span.open(),
            SynPat::Tuple(p) => return p.paren_token.span.open(),
            SynPat::Slice(p) => return p.bracket_token.span.open(),
            SynPat::Reference(p) => return p.and_token.spans[0],
            SynPat::TupleStruct(p) => return super::exprs::path_token(p.qself.as_ref(), &p.path),
            SynPat::Struct(p) => return super::exprs::path_token(p.qself.as_ref(), &p.path),
            SynPat::Path(p) => return super::exprs::path_token(p.qself.as_ref(), &p.path),
            SynPat::Lit(p) => return p.lit.span(),
            SynPat::Wild(p) => return p.underscore_token.spans[0],
            SynPat::Rest(p) => return p.dot2_token.spans[0],
            _ => return proc_macro2::Span::call_site(),
        }
    }
}

/// Whether an identifier begins in upper case, as consts, unit structs and variants do.
fn begins_upper(name: Name) -> bool {
    let first = name.as_str().trim_start_matches('_').chars().next();
    first.is_some_and(char::is_uppercase) && name != well_known::UNDERSCORE
}

/// A path of one segment.
pub(super) fn path_of(name: Name, span: Span) -> crate::hir::Path {
    let segment = crate::hir::Segment { name, span, args: None };
    crate::hir::Path { global: false, qself: None, segments: [segment].into(), span }
}
