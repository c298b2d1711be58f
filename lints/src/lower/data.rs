//! Structs, unions, enums with their fields, and `use` trees.

use syn::{Fields, UseTree};

use super::cx::Lower;
use super::items::{Entry, vis};
use crate::hir::{EnumItem, FieldDecl, Import, ItemKind, StructItem, Variant};
use crate::name::{Name, well_known};
use crate::source::Span;

/// A `use` tree nests at most this deep; rustc's own users stay below ten.
const MAX_USE_DEPTH: usize = 512;

impl Lower<'_> {
    pub(super) fn struct_item(&mut self, s: &mut syn::ItemStruct) {
        let lo = self.first_of(&s.vis, None, s.struct_token.span);
        let head = self.head(&s.attrs, lo);
        let hi = match (&s.fields, &s.semi_token) {
            (_, Some(semi)) => self.hi(semi.spans[0]),
            (Fields::Named(f), None) => self.hi(f.brace_token.span.close()),
            (Fields::Unnamed(f), None) => self.hi(f.paren_token.span.close()),
            (Fields::Unit, None) => self.ident(&s.ident).1.hi,
        };
        let entry = self.entry(&s.ident, &s.vis, lo, hi);
        let generics = self.generics(&s.generics);
        let fields = self.fields(&s.fields, head.attrs.cfg_test);
        let tuple = matches!(s.fields, Fields::Unnamed(_));
        self.add(head, entry, ItemKind::Struct(Box::new(StructItem { generics, fields, tuple })));
    }

    pub(super) fn union_item(&mut self, u: &mut syn::ItemUnion) {
        let lo = self.first_of(&u.vis, None, u.union_token.span);
        let head = self.head(&u.attrs, lo);
        let entry = self.entry(&u.ident, &u.vis, lo, self.hi(u.fields.brace_token.span.close()));
        let generics = self.generics(&u.generics);
        let fields =
            u.fields.named.iter().enumerate().map(|(i, f)| self.field(i, f, head.attrs.cfg_test)).collect();
        self.add(head, entry, ItemKind::Union(Box::new(StructItem { generics, fields, tuple: false })));
    }

    pub(super) fn enum_item(&mut self, e: &mut syn::ItemEnum) {
        let lo = self.first_of(&e.vis, None, e.enum_token.span);
        let head = self.head(&e.attrs, lo);
        let entry = self.entry(&e.ident, &e.vis, lo, self.hi(e.brace_token.span.close()));
        let generics = self.generics(&e.generics);
        let mut variants = Vec::with_capacity(e.variants.len());
        for v in &e.variants {
            let (name, at) = self.ident(&v.ident);
            let fields = self.fields(&v.fields, head.attrs.cfg_test);
            let attrs_lo = v.attrs.first().map_or(at.lo, |a| self.lo(a.pound_token.spans[0]));
            let attrs_lo = self.docs_before(attrs_lo).map_or(attrs_lo, |d| d.lo);
            let hi = match &v.fields {
                Fields::Named(f) => self.hi(f.brace_token.span.close()),
                Fields::Unnamed(f) => self.hi(f.paren_token.span.close()),
                Fields::Unit => at.hi,
            };
            let tuple = matches!(v.fields, Fields::Unnamed(_));
            variants.push(Variant { name, span: Span::new(attrs_lo, hi), fields, tuple });
        }
        self.add(head, entry, ItemKind::Enum(Box::new(EnumItem { generics, variants: variants.into() })));
    }

    fn fields(&mut self, fields: &Fields, cfg_test: bool) -> Box<[FieldDecl]> {
        fields.iter().enumerate().map(|(index, field)| self.field(index, field, cfg_test)).collect()
    }

    fn field(&mut self, index: usize, field: &syn::Field, cfg_test: bool) -> FieldDecl {
        let ty = self.ty(&field.ty);
        let (name, name_span) = match &field.ident {
            Some(ident) => self.ident(ident),
            None => (Name::new(&index.to_string()), ty.span),
        };
        let lo = match &field.vis {
            syn::Visibility::Public(t) => self.lo(t.span),
            syn::Visibility::Restricted(r) => self.lo(r.pub_token.span),
            syn::Visibility::Inherited => name_span.lo,
        };
        let head = self.head(&field.attrs, lo);
        let lo = head.span.map_or(lo, |s| s.lo.min(lo));
        FieldDecl {
            name,
            name_span,
            span: Span::new(lo, ty.span.hi),
            ty,
            vis: vis(&field.vis),
            doc: head.attrs.doc,
            cfg_test: head.attrs.cfg_test || cfg_test,
        }
    }

    pub(super) fn use_item(&mut self, u: &mut syn::ItemUse) {
        let lo = self.first_of(&u.vis, None, u.use_token.span);
        let head = self.head(&u.attrs, lo);
        let hi = self.hi(u.semi_token.spans[0]);
        let mut imports = Vec::new();
        let mut prefix = Vec::new();
        self.use_tree(&u.tree, u.leading_colon.is_some(), &mut prefix, None, &mut imports);
        let span = Span::new(lo, hi);
        let entry = Entry { name: well_known::EMPTY, name_span: span, span, vis: vis(&u.vis) };
        self.add(head, entry, ItemKind::Use(imports.into()));
    }

    /// Flattens a tree; `from` is where the innermost path of single segments began.
    fn use_tree(
        &mut self,
        tree: &UseTree,
        global: bool,
        prefix: &mut Vec<Name>,
        from: Option<u32>,
        out: &mut Vec<Import>,
    ) {
        if prefix.len() >= MAX_USE_DEPTH || self.depth >= super::cx::MAX_DEPTH {
            return;
        }
        self.depth += 1;
        match tree {
            UseTree::Path(p) => {
                let (name, at) = self.ident(&p.ident);
                prefix.push(name);
                self.use_tree(&p.tree, global, prefix, Some(from.unwrap_or(at.lo)), out);
                prefix.pop();
            }
            UseTree::Name(n) => {
                let (name, at) = self.ident(&n.ident);
                let span = Span::new(from.unwrap_or(at.lo), at.hi);
                self.leaf(name, Some(name), global, prefix, span, out);
            }
            UseTree::Rename(r) => {
                let (name, at) = self.ident(&r.ident);
                let (alias, end) = self.ident(&r.rename);
                let span = Span::new(from.unwrap_or(at.lo), end.hi);
                let alias = (alias != well_known::UNDERSCORE).then_some(alias);
                self.leaf(name, alias, global, prefix, span, out);
            }
            UseTree::Glob(g) => {
                let at = self.span(g.star_token.spans[0]);
                let span = Span::new(from.unwrap_or(at.lo), at.hi);
                out.push(Import { global, path: prefix.as_slice().into(), name: None, glob: true, span });
            }
            UseTree::Group(g) => {
                for tree in &g.items {
                    self.use_tree(tree, global, prefix, None, out);
                }
            }
        }
        self.depth -= 1;
    }

    fn leaf(
        &mut self,
        name: Name,
        alias: Option<Name>,
        global: bool,
        prefix: &[Name],
        span: Span,
        out: &mut Vec<Import>,
    ) {
        let mut path = prefix.to_vec();
        let mut alias = alias;
        // `a::{self}` imports `a`; a lone `self` is the module itself.
        if name == well_known::SELF && !prefix.is_empty() {
            if alias == Some(well_known::SELF) {
                alias = prefix.last().copied();
            }
        } else {
            path.push(name);
        }
        out.push(Import { global, path: path.into(), name: alias, glob: false, span });
    }
}
