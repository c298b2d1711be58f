//! The state of lowering one file: where we are, and the body being filled.

use proc_macro2::{Ident, Span as TokenSpan};
use rustc_hash::FxHashMap;

use super::places::Places;
use super::scan::Docs;
use crate::hir::{
    Body, BodyId, Expr, ExprId, ExprKind, FileHir, ItemId, Local, LocalId, Param, Pat, PatId, PatKind, Scope,
    ScopeId,
};
use crate::name::Name;
use crate::source::Span;

/// Expressions, patterns and types nest at most this deep in the HIR; what lies deeper is `Missing` or `Unknown`. So
/// whoever walks the HIR may recurse.
pub const MAX_DEPTH: u32 = 512;

/// Lowers one file.
pub(super) struct Lower<'t> {
    pub(super) text: &'t str,
    pub(super) places: Places,
    /// Doc comments, which the parser did not see, in order.
    pub(super) docs: Vec<Docs>,
    pub(super) hir: FileHir,
    /// The scope items are declared in now.
    pub(super) scope: ScopeId,
    /// The trait, impl or function around.
    pub(super) parent: Option<ItemId>,
    /// `#[cfg(test)]` on something around.
    pub(super) cfg_test: bool,
    /// Inside a macro whose arguments were taken for items.
    pub(super) from_macro: bool,
    pub(super) body: BodyBuilder,
    pub(super) depth: u32,
}

/// The arenas of the body being lowered and the local names in scope.
#[derive(Default)]
pub(super) struct BodyBuilder {
    pub(super) exprs: Vec<Expr>,
    pub(super) pats: Vec<Pat>,
    locals: Vec<Local>,
    /// Bindings in scope, innermost last, each with the index of the one it shadows.
    bindings: Vec<(Name, LocalId, Option<u32>)>,
    /// Name → index of its innermost binding.
    visible: FxHashMap<Name, u32>,
    /// Where the bindings of the pattern being lowered begin: an or-pattern's alternatives share locals.
    pattern_start: usize,
    /// In a pattern that must match, a lone upper-case identifier binds.
    pub(super) irrefutable: bool,
}

impl<'t> Lower<'t> {
    pub(super) fn new(text: &'t str, places: Places, docs: Vec<Docs>) -> Lower<'t> {
        Lower {
            text,
            places,
            docs,
            hir: FileHir::default(),
            scope: ScopeId(0),
            parent: None,
            cfg_test: false,
            from_macro: false,
            body: BodyBuilder::default(),
            depth: 0,
        }
    }

    /// Lowers a file, or the part of one whose first part has been lowered.
    pub(super) fn file(&mut self, mut file: syn::File, first: bool) {
        if first {
            let head = self.head(&file.attrs, u32::MAX).attrs;
            self.cfg_test = head.cfg_test;
            self.hir.cfg_test = head.cfg_test;
            self.hir.generated = head.others.iter().any(|n| n.as_str() == "automatically_derived");
            self.hir.scopes.push(Scope {
                parent: None,
                name: None,
                block: false,
                cfg_test: head.cfg_test,
                path_attr: None,
            });
        }
        self.items(&mut file.items);
    }
}

impl Lower<'_> {
    pub(super) fn span(&self, span: TokenSpan) -> Span {
        self.places.span(span)
    }

    pub(super) fn lo(&self, span: TokenSpan) -> u32 {
        self.places.lo(span)
    }

    pub(super) fn hi(&self, span: TokenSpan) -> u32 {
        self.places.hi(span)
    }

    /// An identifier without `r#`, and where it stands. The text is read from the source: no allocation.
    pub(super) fn ident(&self, ident: &Ident) -> (Name, Span) {
        let lo = self.lo(ident.span());
        self.ident_at(lo).unwrap_or_else(|| {
            let text = ident.to_string();
            (Name::new(text.trim_start_matches("r#")), self.span(ident.span()))
        })
    }

    /// The identifier in the source at a byte.
    fn ident_at(&self, lo: u32) -> Option<(Name, Span)> {
        let rest = self.text.as_bytes().get(lo as usize..)?;
        let raw = if rest.starts_with(b"r#") { 2 } else { 0 };
        let len = ident_len(rest.get(raw..)?);
        if len == 0 {
            return None;
        }
        let (start, end) = (lo + raw as u32, lo + (raw + len) as u32);
        let text = self.text.get(start as usize..end as usize)?;
        Some((Name::new(text), Span::new(lo, end)))
    }

    // Asking a token where it stands costs a look-up in a thread-local map. Tokens follow one another: when the bytes
    // beside a known place are those of the token looked for, it is there, and most are.

    /// Where `token`, the single byte `byte`, ends; it is the next token after byte `from`.
    pub(super) fn hi_after(&self, from: u32, byte: u8, token: TokenSpan) -> u32 {
        if self.text.as_bytes().get(from as usize) == Some(&byte) { from + 1 } else { self.hi(token) }
    }

    /// Where `token`, spelt `text`, begins; the next token begins at byte `next`.
    pub(super) fn lo_before(&self, next: u32, text: &str, token: TokenSpan) -> u32 {
        let before = self.text.as_bytes().get(..next as usize).unwrap_or_default();
        if before.ends_with(text.as_bytes()) { next - text.len() as u32 } else { self.lo(token) }
    }

    /// The identifier that follows byte `from` after the token `by` and blanks.
    pub(super) fn ident_after(&self, from: u32, by: &str, ident: &Ident) -> (Name, Span) {
        let bytes = self.text.as_bytes();
        let blanks = |at: usize| {
            let rest = bytes.get(at..).unwrap_or_default();
            at + rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0)
        };
        let at = blanks(from as usize);
        if bytes.get(at..).is_some_and(|rest| rest.starts_with(by.as_bytes())) {
            let at = blanks(at + by.len());
            let begins = bytes.get(at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
            if begins && let Some(found) = self.ident_at(at as u32) {
                return found;
            }
        }
        self.ident(ident)
    }

    pub(super) fn name(&self, ident: &Ident) -> Name {
        self.ident(ident).0
    }

    pub(super) fn alloc(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.body.exprs.push(Expr { kind, span });
        ExprId(self.body.exprs.len() as u32 - 1)
    }

    pub(super) fn alloc_pat(&mut self, kind: PatKind, span: Span) -> PatId {
        self.body.pats.push(Pat { kind, span });
        PatId(self.body.pats.len() as u32 - 1)
    }

    pub(super) fn missing(&mut self, span: Span) -> ExprId {
        self.alloc(ExprKind::Missing, span)
    }

    /// Lowers a body of its own: `fill` makes parameters and root; names around are not seen inside.
    pub(super) fn with_body(&mut self, fill: impl FnOnce(&mut Self) -> (Vec<Param>, ExprId)) -> BodyId {
        // A body may hold nothing but patterns so far: `fn f(_: u8) { fn g() {} }`.
        let empty = self.body.exprs.is_empty() && self.body.pats.is_empty() && self.body.locals.is_empty();
        let outer = if empty { None } else { Some(std::mem::take(&mut self.body)) };
        let scope = self.scope;
        let (params, root) = fill(self);
        self.body.truncate(0);
        // Drained, not moved out: the arenas keep their room for the next body, and this one gets exact sizes.
        let body = Body {
            exprs: self.body.exprs.drain(..).collect(),
            pats: self.body.pats.drain(..).collect(),
            locals: self.body.locals.drain(..).collect(),
            params: params.into(),
            root,
            scope,
        };
        if let Some(outer) = outer {
            self.body = outer;
        }
        self.hir.bodies.push(body);
        BodyId(self.hir.bodies.len() as u32 - 1)
    }
}

impl BodyBuilder {
    /// How many bindings are in scope; give it to [`BodyBuilder::truncate`] when the scope ends.
    pub(super) fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// Ends the scopes opened since `mark`.
    pub(super) fn truncate(&mut self, mark: usize) {
        while self.bindings.len() > mark {
            let Some((name, _, shadowed)) = self.bindings.pop() else { return };
            match shadowed {
                Some(index) => self.visible.insert(name, index),
                None => self.visible.remove(&name),
            };
        }
    }

    /// The innermost local of that name.
    pub(super) fn lookup(&self, name: Name) -> Option<LocalId> {
        let index = *self.visible.get(&name)?;
        self.bindings.get(index as usize).map(|b| b.1)
    }

    /// Begins a pattern; what it binds is new, whatever was bound before. Returns what ends it.
    pub(super) fn begin_pattern(&mut self) -> usize {
        std::mem::replace(&mut self.pattern_start, self.bindings.len())
    }

    pub(super) fn end_pattern(&mut self, begun: usize) {
        self.pattern_start = begun;
    }

    /// Binds a local; the same name twice in one pattern (alternatives) is one local.
    pub(super) fn bind(&mut self, local: Local) -> LocalId {
        let name = local.name;
        let shadowed = self.visible.get(&name).copied();
        if let Some(index) = shadowed
            && index as usize >= self.pattern_start
            && let Some(same) = self.bindings.get(index as usize)
        {
            return same.1;
        }
        let id = LocalId(self.locals.len() as u32);
        self.locals.push(local);
        self.visible.insert(name, self.bindings.len() as u32);
        self.bindings.push((name, id, shadowed));
        id
    }
}

/// Which bytes an identifier may hold; all of a character beyond ASCII count.
static IDENT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
        byte += 1;
    }
    table
};

/// Bytes of the identifier that `bytes` begin with.
pub(super) fn ident_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| !IDENT[b as usize]).unwrap_or(bytes.len())
}
