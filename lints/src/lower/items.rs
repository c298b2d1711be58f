//! Items: modules, functions, types, traits, impls, and what stands in them.

use syn::{Item as SynItem, ItemMod, Visibility as SynVis};

use super::attrs::Head;
use super::cx::Lower;
use crate::hir::{
    BlockKind, FnItem, Generics, ImplItem, Item, ItemId, ItemKind, Local, Param, PatKind, SelfParam,
    StaticWrapper, TraitItem, TypeRef, Visibility,
};
use crate::name::{Name, well_known};
use crate::source::Span;

/// Name, place and attributes of an item about to be added.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) name_span: Span,
    /// From the first token after the attributes to the last.
    pub(super) span: Span,
    pub(super) vis: Visibility,
}

impl Lower<'_> {
    /// Items in order.
    pub(super) fn items(&mut self, items: &mut [SynItem]) {
        for item in items {
            self.item(item);
        }
    }

    /// One item, with all that lies inside.
    pub(super) fn item(&mut self, item: &mut SynItem) {
        match item {
            SynItem::Fn(f) => {
                let vis = vis(&f.vis);
                let lo = self.first_of(
                    &f.vis,
                    f.modifiers.defaultness.as_ref().map(|t| t.span),
                    sig_token(&f.sig),
                );
                let head = self.head(&f.attrs, lo);
                self.function(head, vis, lo, &mut f.sig, Some(&mut f.block), None);
            }
            SynItem::Impl(i) => self.impl_item(i),
            SynItem::Struct(s) => self.struct_item(s),
            SynItem::Enum(e) => self.enum_item(e),
            SynItem::Union(u) => self.union_item(u),
            SynItem::Use(u) => self.use_item(u),
            SynItem::Mod(m) => self.mod_item(m),
            SynItem::Trait(t) => self.trait_item(t),
            SynItem::Const(c) => {
                let lo = self.first_of(&c.vis, None, c.const_token.span);
                let head = self.head(&c.attrs, lo);
                let entry = self.entry(&c.ident, &c.vis, lo, self.hi(c.semi_token.spans[0]));
                self.static_item(head, entry, &c.ty, Some(&mut c.expr), (true, false), StaticWrapper::Plain);
            }
            SynItem::Static(s) => {
                let lo = self.first_of(&s.vis, None, s.static_token.span);
                let head = self.head(&s.attrs, lo);
                let entry = self.entry(&s.ident, &s.vis, lo, self.hi(s.semi_token.spans[0]));
                let mutable = matches!(s.mutability, syn::StaticMutability::Mut(_));
                self.static_item(
                    head,
                    entry,
                    &s.ty,
                    Some(&mut s.expr),
                    (false, mutable),
                    StaticWrapper::Plain,
                );
            }
            SynItem::Type(t) => {
                let lo = self.first_of(&t.vis, None, t.type_token.span);
                let head = self.head(&t.attrs, lo);
                let entry = self.entry(&t.ident, &t.vis, lo, self.hi(t.semi_token.spans[0]));
                self.type_alias(head, entry, &t.generics, Some(&t.ty), None);
            }
            SynItem::ExternCrate(e) => {
                let lo = self.first_of(&e.vis, None, e.extern_token.span);
                let head = self.head(&e.attrs, lo);
                let entry = self.entry(&e.ident, &e.vis, lo, self.hi(e.semi_token.spans[0]));
                let alias = e.rename.as_ref().map(|(_, i)| self.name(i));
                let kind = ItemKind::ExternCrate { krate: entry.name, alias };
                self.add(head, entry, kind);
            }
            SynItem::TraitAlias(t) => {
                let lo = self.first_of(&t.vis, None, t.trait_token.span);
                let head = self.head(&t.attrs, lo);
                let entry = self.entry(&t.ident, &t.vis, lo, self.hi(t.semi_token.spans[0]));
                let generics = self.generics(&t.generics);
                let supers = self.bounds(&t.bounds);
                self.add(head, entry, ItemKind::Trait(Box::new(TraitItem { generics, supers })));
            }
            SynItem::ForeignMod(m) => self.foreign_mod(m),
            SynItem::Macro(m) => self.item_macro(m),
            _ => {}
        }
    }

    pub(super) fn entry(&self, ident: &proc_macro2::Ident, v: &SynVis, lo: u32, hi: u32) -> Entry {
        let (mut name, name_span) = self.ident(ident);
        if name == well_known::UNDERSCORE {
            name = well_known::EMPTY;
        }
        Entry { name, name_span, span: Span::new(lo, hi), vis: vis(v) }
    }

    /// Where an item begins, attributes aside.
    pub(super) fn first_of(
        &self,
        vis: &SynVis,
        modifier: Option<proc_macro2::Span>,
        keyword: proc_macro2::Span,
    ) -> u32 {
        match (vis, modifier) {
            (SynVis::Public(t), _) => self.lo(t.span),
            (SynVis::Restricted(r), _) => self.lo(r.pub_token.span),
            (SynVis::Inherited, Some(token)) => self.lo(token),
            (SynVis::Inherited, None) => self.lo(keyword),
        }
    }

    /// Adds an item; returns its id.
    pub(super) fn add(&mut self, head: Head, entry: Entry, kind: ItemKind) -> ItemId {
        let lo = head.span.map_or(entry.span.lo, |s| s.lo.min(entry.span.lo));
        self.hir.items.push(Item {
            name: entry.name,
            name_span: entry.name_span,
            span: Span::new(lo, entry.span.hi),
            attrs_span: head.span.unwrap_or(Span::new(lo, lo)),
            scope: self.scope,
            parent: self.parent,
            vis: entry.vis,
            attrs: head.attrs,
            from_macro: self.from_macro,
            kind,
        });
        ItemId(self.hir.items.len() as u32 - 1)
    }

    fn set_kind(&mut self, id: ItemId, kind: ItemKind) {
        if let Some(item) = self.hir.items.get_mut(id.0 as usize) {
            item.kind = kind;
        }
    }

    /// Runs `inside` with `id` as the parent of what it adds, under its `cfg(test)`.
    fn within<R>(&mut self, id: Option<ItemId>, cfg_test: bool, inside: impl FnOnce(&mut Self) -> R) -> R {
        let parent = std::mem::replace(&mut self.parent, id);
        let was = std::mem::replace(&mut self.cfg_test, cfg_test);
        let out = inside(self);
        self.parent = parent;
        self.cfg_test = was;
        out
    }

    fn mod_item(&mut self, m: &mut ItemMod) {
        let lo = self.first_of(&m.vis, m.unsafety.as_ref().map(|t| t.span), m.mod_token.span);
        let head = self.head(&m.attrs, lo);
        let hi = match (&m.content, &m.semi) {
            (Some((brace, _)), _) => self.hi(brace.span.close()),
            (None, Some(semi)) => self.hi(semi.spans[0]),
            (None, None) => lo,
        };
        let entry = self.entry(&m.ident, &m.vis, lo, hi);
        let (name, cfg_test, path) = (entry.name, head.attrs.cfg_test, head.attrs.path.clone());
        let id = self.add(head, entry, ItemKind::Mod { inline: None });
        let Some((_, items)) = &mut m.content else { return };
        let around = self.scope;
        self.within(None, cfg_test, |this| {
            let scope = this.push_scope(Some(name), false, path.map(String::from));
            this.set_kind(id, ItemKind::Mod { inline: Some(scope) });
            this.scope = scope;
            this.items(items);
        });
        self.scope = around;
    }

    fn foreign_mod(&mut self, m: &mut syn::ItemForeignMod) {
        let lo = self.lo(m.unsafety.as_ref().map_or(m.abi.extern_token.span, |t| t.span));
        let outer = self.head(&m.attrs, lo);
        let cfg_test = outer.attrs.cfg_test;
        let parent = self.parent;
        self.within(parent, cfg_test, |this| {
            for item in &mut m.items {
                match item {
                    syn::ForeignItem::Fn(f) => {
                        let lo = this.first_of(&f.vis, None, sig_token(&f.sig));
                        let head = this.head(&f.attrs, lo);
                        let hi = this.hi(f.semi_token.spans[0]);
                        this.function(head, vis(&f.vis), lo, &mut f.sig, None, Some(hi));
                    }
                    syn::ForeignItem::Static(s) => {
                        let lo = this.first_of(&s.vis, None, s.static_token.span);
                        let head = this.head(&s.attrs, lo);
                        let entry = this.entry(&s.ident, &s.vis, lo, this.hi(s.semi_token.spans[0]));
                        let mutable = matches!(s.mutability, syn::StaticMutability::Mut(_));
                        this.static_item(head, entry, &s.ty, None, (false, mutable), StaticWrapper::Plain);
                    }
                    syn::ForeignItem::Type(t) => {
                        let lo = this.first_of(&t.vis, None, t.type_token.span);
                        let head = this.head(&t.attrs, lo);
                        let entry = this.entry(&t.ident, &t.vis, lo, this.hi(t.semi_token.spans[0]));
                        this.type_alias(head, entry, &t.generics, None, None);
                    }
                    _ => {}
                }
            }
        });
    }

    fn type_alias(
        &mut self,
        head: Head,
        entry: Entry,
        generics: &syn::Generics,
        ty: Option<&syn::Type>,
        bounds: Option<&syn::punctuated::Punctuated<syn::TypeParamBound, syn::Token![+]>>,
    ) {
        let generics = self.generics(generics);
        let ty = ty.map(|t| self.ty(t));
        let bounds = bounds.map(|b| self.bounds(b)).unwrap_or_default();
        self.add(head, entry, ItemKind::Type { generics, ty, bounds });
    }

    /// A const or static with its initialiser; `(is_const, mutable)`.
    pub(super) fn static_item(
        &mut self,
        head: Head,
        entry: Entry,
        ty: &syn::Type,
        value: Option<&mut syn::Expr>,
        (is_const, mutable): (bool, bool),
        wrapper: StaticWrapper,
    ) {
        let ty = self.ty(ty);
        let cfg_test = head.attrs.cfg_test;
        let make = |body, ty: TypeRef| ItemKind::Static { ty, body, is_const, mutable, wrapper };
        let id = self.add(head, entry, make(None, ty.clone()));
        if let Some(value) = value {
            let body =
                self.within(Some(id), cfg_test, |this| this.with_body(|this| (Vec::new(), this.expr(value))));
            self.set_kind(id, make(Some(body), ty));
        }
    }

    /// A function; `end` is its last byte if it has no block.
    fn function(
        &mut self,
        head: Head,
        vis: Visibility,
        lo: u32,
        sig: &mut syn::Signature,
        block: Option<&mut syn::Block>,
        end: Option<u32>,
    ) {
        let hi = match (&block, end) {
            (Some(block), _) => self.hi(block.brace_token.span.close()),
            (None, Some(end)) => end,
            (None, None) => self.hi(sig.paren_token.span.close()),
        };
        // The signature ends before the block or the semicolon.
        let sig_end = match &block {
            Some(block) => self.lo(block.brace_token.span.open()),
            None => hi.saturating_sub(1),
        };
        let sig_lo = self.lo(sig.fn_token.span);
        let sig_text = self.text.get(sig_lo as usize..sig_end as usize).unwrap_or("");
        let sig_span = Span::new(sig_lo, sig_lo + sig_text.trim_end().len() as u32);
        let (name, name_span) = self.ident(&sig.ident);
        let generics = self.generics(&sig.generics);
        let (self_param, params) = self.signature_types(sig);
        let ret = self.ret(&sig.output);
        let cfg_test = head.attrs.cfg_test || head.attrs.test;
        let mut item = FnItem {
            generics,
            self_param,
            params,
            ret,
            is_async: sig.asyncness.is_some(),
            is_unsafe: matches!(sig.safety, syn::Safety::Unsafe(_)),
            is_const: sig.constness.is_some(),
            sig_span,
            body: None,
        };
        let entry = Entry { name, name_span, span: Span::new(lo, hi), vis };
        let placeholder = ItemKind::MacroRules;
        let id = self.add(head, entry, placeholder);
        if let Some(block) = block {
            let body = self.within(Some(id), cfg_test, |this| {
                this.with_body(|this| {
                    let params = this.params(sig);
                    (params, this.block(block, BlockKind::Plain, None, None))
                })
            });
            item.body = Some(body);
        }
        self.set_kind(id, ItemKind::Fn(Box::new(item)));
    }

    fn signature_types(&mut self, sig: &syn::Signature) -> (Option<SelfParam>, Box<[TypeRef]>) {
        let mut receiver = None;
        let mut params = Vec::with_capacity(sig.inputs.len());
        for input in &sig.inputs {
            match input {
                syn::FnArg::Receiver(r) => {
                    receiver = Some(match &r.kind {
                        syn::ReceiverKind::Value => SelfParam::Value,
                        syn::ReceiverKind::Reference(_, _, None) => SelfParam::Ref,
                        syn::ReceiverKind::Reference(_, _, Some(_)) => SelfParam::RefMut,
                        syn::ReceiverKind::Typed(_, ty) => SelfParam::Typed(self.ty(ty)),
                        _ => SelfParam::Value,
                    });
                }
                syn::FnArg::Typed(p) => params.push(self.ty(&p.ty)),
            }
        }
        (receiver, params.into())
    }

    /// The parameters as the body sees them.
    fn params(&mut self, sig: &mut syn::Signature) -> Vec<Param> {
        let mut params = Vec::with_capacity(sig.inputs.len());
        for input in &mut sig.inputs {
            match input {
                syn::FnArg::Receiver(r) => {
                    let span = self.span(r.self_token.span);
                    let mutable = r.mutability.is_some();
                    let local =
                        self.body.bind(Local { name: well_known::SELF, span, mutable, by_ref: false });
                    let pat = self.alloc_pat(PatKind::Bind { local, sub: None }, span);
                    let ty = match &r.kind {
                        syn::ReceiverKind::Typed(_, ty) => Some(self.ty(ty)),
                        _ => None,
                    };
                    params.push(Param { pat, ty });
                }
                syn::FnArg::Typed(p) => {
                    let ty = self.ty(&p.ty);
                    let pat = self.pattern(&mut p.pat, true);
                    params.push(Param { pat, ty: Some(ty) });
                }
            }
        }
        params
    }

    fn trait_item(&mut self, t: &mut syn::ItemTrait) {
        let modifier =
            t.unsafety.as_ref().map(|t| t.span).or(t.modifiers.auto_token.as_ref().map(|t| t.span));
        let lo = self.first_of(&t.vis, modifier, t.trait_token.span);
        let head = self.head(&t.attrs, lo);
        let entry = self.entry(&t.ident, &t.vis, lo, self.hi(t.brace_token.span.close()));
        let generics = self.generics(&t.generics);
        let supers = self.bounds(&t.supertraits);
        let cfg_test = head.attrs.cfg_test;
        let id = self.add(head, entry, ItemKind::Trait(Box::new(TraitItem { generics, supers })));
        self.within(Some(id), cfg_test, |this| {
            for item in &mut t.items {
                this.trait_member(item);
            }
        });
    }

    pub(super) fn trait_member(&mut self, item: &mut syn::TraitItem) {
        match item {
            syn::TraitItem::Fn(f) => {
                let lo = self.first_of(&SynVis::Inherited, None, sig_token(&f.sig));
                let head = self.head(&f.attrs, lo);
                let end = f.semi_token.as_ref().map(|t| self.hi(t.spans[0]));
                self.function(head, Visibility::Private, lo, &mut f.sig, f.default.as_mut(), end);
            }
            syn::TraitItem::Type(t) => {
                let lo = self.lo(t.type_token.span);
                let head = self.head(&t.attrs, lo);
                let entry = self.entry(&t.ident, &SynVis::Inherited, lo, self.hi(t.semi_token.spans[0]));
                let default = t.default.as_ref().map(|(_, ty)| ty);
                self.type_alias(head, entry, &t.generics, default, Some(&t.bounds));
            }
            syn::TraitItem::Const(c) => {
                let lo = self.lo(c.const_token.span);
                let head = self.head(&c.attrs, lo);
                let entry = self.entry(&c.ident, &SynVis::Inherited, lo, self.hi(c.semi_token.spans[0]));
                let value = c.default.as_mut().map(|(_, e)| e);
                self.static_item(head, entry, &c.ty, value, (true, false), StaticWrapper::Plain);
            }
            syn::TraitItem::Macro(m) => self.member_macro(&m.attrs, &mut m.mac),
            _ => {}
        }
    }

    fn impl_item(&mut self, i: &mut syn::ItemImpl) {
        let modifier = i.modifiers.defaultness.as_ref().map(|t| t.span);
        let modifier = modifier.or(i.unsafety.as_ref().map(|t| t.span));
        let lo = self.first_of(&SynVis::Inherited, modifier, i.impl_token.span);
        let head = self.head(&i.attrs, lo);
        let generics: Generics = self.generics(&i.generics);
        let self_ty = self.ty(&i.self_ty);
        let trait_path = i.trait_.as_ref().map(|(path, _)| self.path(None, path));
        let entry = Entry {
            name: well_known::EMPTY,
            name_span: self_ty.span,
            span: Span::new(lo, self.hi(i.brace_token.span.close())),
            vis: Visibility::Private,
        };
        let cfg_test = head.attrs.cfg_test;
        let negative = i.modifiers.polarity.is_some();
        let id = self.add(
            head,
            entry,
            ItemKind::Impl(Box::new(ImplItem { generics, self_ty, trait_path, negative })),
        );
        self.within(Some(id), cfg_test, |this| {
            for item in &mut i.items {
                this.impl_member(item);
            }
        });
    }

    pub(super) fn impl_member(&mut self, item: &mut syn::ImplItem) {
        match item {
            syn::ImplItem::Fn(f) => {
                let lo = self.first_of(
                    &f.vis,
                    f.modifiers.defaultness.as_ref().map(|t| t.span),
                    sig_token(&f.sig),
                );
                let head = self.head(&f.attrs, lo);
                self.function(head, vis(&f.vis), lo, &mut f.sig, Some(&mut f.block), None);
            }
            syn::ImplItem::Type(t) => {
                let lo = self.first_of(&t.vis, None, t.type_token.span);
                let head = self.head(&t.attrs, lo);
                let entry = self.entry(&t.ident, &t.vis, lo, self.hi(t.semi_token.spans[0]));
                self.type_alias(head, entry, &t.generics, Some(&t.ty), None);
            }
            syn::ImplItem::Const(c) => {
                let lo = self.first_of(&c.vis, None, c.const_token.span);
                let head = self.head(&c.attrs, lo);
                let entry = self.entry(&c.ident, &c.vis, lo, self.hi(c.semi_token.spans[0]));
                self.static_item(head, entry, &c.ty, Some(&mut c.expr), (true, false), StaticWrapper::Plain);
            }
            syn::ImplItem::Macro(m) => self.member_macro(&m.attrs, &mut m.mac),
            _ => {}
        }
    }
}

/// The first token of a signature.
fn sig_token(sig: &syn::Signature) -> proc_macro2::Span {
    let safety = match &sig.safety {
        syn::Safety::Unsafe(t) => Some(t.span),
        syn::Safety::Safe(t) => Some(t.span),
        syn::Safety::Default => None,
    };
    let tokens = [
        sig.constness.as_ref().map(|t| t.span),
        sig.asyncness.as_ref().map(|t| t.span),
        safety,
        sig.abi.as_ref().map(|a| a.extern_token.span),
    ];
    tokens.into_iter().flatten().next().unwrap_or(sig.fn_token.span)
}

/// Visibility as far as it matters.
pub(super) fn vis(vis: &SynVis) -> Visibility {
    match vis {
        SynVis::Public(_) => Visibility::Public,
        SynVis::Restricted(_) => Visibility::Restricted,
        SynVis::Inherited => Visibility::Private,
    }
}
