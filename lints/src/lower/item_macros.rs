//! Macro invocations in item position: statics, conditional items, and tokens that parse as items.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream};

use super::cx::Lower;
use super::items::Entry;
use super::macro_args as grammar;
use crate::hir::{ItemKind, StaticWrapper, Visibility};
use crate::name::well_known;
use crate::source::Span;

/// How a macro's members become statics.
fn statics_wrapper(mac: &syn::Macro) -> Option<StaticWrapper> {
    let last = &mac.path.segments.last()?.ident;
    if last == "lazy_static" {
        Some(StaticWrapper::LazyStatic)
    } else if last == "thread_local" {
        Some(StaticWrapper::ThreadLocal)
    } else {
        None
    }
}

/// Whether a macro among statements declares items.
pub(super) fn is_item_like(mac: &syn::Macro) -> bool {
    statics_wrapper(mac).is_some()
}

/// Zero or more of something.
fn many<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    let mut out = Vec::new();
    while !input.is_empty() {
        out.push(input.parse()?);
    }
    Ok(out)
}

impl Lower<'_> {
    /// A macro invocation at item level, `macro_rules!` included.
    pub(super) fn item_macro(&mut self, m: &mut syn::ItemMacro) {
        let path = self.path(None, &m.mac.path);
        let close = self.hi(m.mac.delimiter.span().close());
        let hi = m.semi_token.as_ref().map_or(close, |t| self.hi(t.spans[0]));
        let span = Span::new(path.span.lo, hi);
        let mut entry =
            Entry { name: well_known::EMPTY, name_span: path.span, span, vis: Visibility::Private };
        if let Some(ident) = &m.ident {
            (entry.name, entry.name_span) = self.ident(ident);
            let head = self.head(&m.attrs, path.span.lo);
            self.add(head, entry, ItemKind::MacroRules);
            return;
        }
        if self.item_like_macro(&m.attrs, &mut m.mac) || self.include(&m.mac) {
            return;
        }
        let head = self.head(&m.attrs, path.span.lo);
        let cfg_test = head.attrs.cfg_test;
        let tokens = std::mem::take(&mut m.mac.tokens);
        let is_cfg_if = m.mac.path.segments.last().is_some_and(|s| s.ident == "cfg_if");
        let understood = self.under(cfg_test, |this| {
            if is_cfg_if { this.cfg_if_items(tokens) } else { this.guess_items(tokens) }
        });
        if !understood {
            self.add(head, entry, ItemKind::MacroCall { path });
        }
    }

    fn under<R>(&mut self, cfg_test: bool, inside: impl FnOnce(&mut Self) -> R) -> R {
        let was = std::mem::replace(&mut self.cfg_test, cfg_test);
        let out = inside(self);
        self.cfg_test = was;
        out
    }

    /// `lazy_static!` and `thread_local!`; `false` if it is neither or not understood.
    pub(super) fn item_like_macro(&mut self, attrs: &[syn::Attribute], mac: &mut syn::Macro) -> bool {
        let Some(wrapper) = statics_wrapper(mac) else { return false };
        let Some(statics) = grammar::parse(mac.tokens.clone(), grammar::statics) else { return false };
        let outer = self.head(attrs, u32::MAX).attrs;
        self.under(outer.cfg_test, |this| {
            for mut s in statics {
                let lo = this.first_of(&s.vis, None, s.keyword);
                let mut head = this.head(&s.attrs, lo);
                head.attrs.cfg_other |= outer.cfg_other;
                let hi = match s.end {
                    Some(end) => this.hi(end),
                    None => this.lo(mac.delimiter.span().close()),
                };
                let entry = this.entry(&s.ident, &s.vis, lo, hi);
                this.static_item(head, entry, &s.ty, Some(&mut s.value), (false, false), wrapper);
            }
        });
        true
    }

    /// `include!("file.rs")`.
    fn include(&mut self, mac: &syn::Macro) -> bool {
        if !mac.path.is_ident("include") {
            return false;
        }
        let Ok(lit) = syn::parse2::<syn::LitStr>(mac.tokens.clone()) else { return false };
        let span = self.span(lit.span());
        self.hir.includes.push((lit.value(), span, self.scope));
        true
    }

    /// The items of all branches of `cfg_if!`; `false` if some branch holds none.
    fn cfg_if_items(&mut self, tokens: TokenStream) -> bool {
        let Some(branches) = grammar::parse(tokens, grammar::cfg_if) else { return false };
        let mut parsed = Vec::with_capacity(branches.len());
        for branch in branches {
            let Some(items) = grammar::parse(branch.tokens, many::<syn::Item>) else { return false };
            parsed.push((branch.cfg, items));
        }
        for (cfg, mut items) in parsed {
            let test = cfg.as_ref().is_some_and(|a| self.cfg_of(a).is_some_and(|cfg| cfg.test));
            let from = self.hir.items.len();
            let cfg_test = self.cfg_test || test;
            self.under(cfg_test, |this| this.items(&mut items));
            // Only the branch's own items: what lies inside them is absent with them.
            let (scope, parent) = (self.scope, self.parent);
            for item in self.hir.items.iter_mut().skip(from) {
                item.attrs.cfg_other |= item.scope == scope && item.parent == parent;
            }
        }
        true
    }

    fn guess_items(&mut self, tokens: TokenStream) -> bool {
        if tokens.is_empty() {
            return false;
        }
        let Some(mut items) = grammar::parse(tokens, many::<syn::Item>) else { return false };
        // A lone nested invocation or unread tokens say nothing about what comes out.
        if items.iter().all(|i| matches!(i, syn::Item::Verbatim(_))) {
            return false;
        }
        let was = std::mem::replace(&mut self.from_macro, true);
        self.items(&mut items);
        self.from_macro = was;
        true
    }

    /// A macro among the members of an `impl` or `trait`.
    pub(super) fn member_macro(&mut self, attrs: &[syn::Attribute], mac: &mut syn::Macro) {
        let head = self.head(attrs, u32::MAX);
        let tokens = std::mem::take(&mut mac.tokens);
        let Some(mut members) = grammar::parse(tokens, many::<syn::ImplItem>) else { return };
        let was = std::mem::replace(&mut self.from_macro, true);
        self.under(head.attrs.cfg_test, |this| {
            for member in &mut members {
                this.impl_member(member);
            }
        });
        self.from_macro = was;
    }
}
