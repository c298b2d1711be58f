//! Attributes: what they say about tests, derives, documentation.

use proc_macro2::{TokenStream, TokenTree};
use syn::{AttrStyle, Attribute, Meta};

use super::cfg::{self, Cfg};
use super::cx::Lower;
use crate::hir::Attrs;
use crate::name::Name;
use crate::source::Span;

/// Bytes of documentation kept.
const DOC_BYTES: usize = 200;

/// What the attributes of an item say, and where they stand.
pub(super) struct Head {
    pub(super) attrs: Attrs,
    /// Outer attributes; empty at `u32::MAX` if there are none.
    pub(super) span: Option<Span>,
}

impl Lower<'_> {
    /// Reads attributes and the doc comments among and after them; `lo` is where what they stand on begins. What
    /// encloses it counts for `cfg_test`.
    pub(super) fn head(&mut self, attrs: &[Attribute], lo: u32) -> Head {
        let mut out = Attrs { cfg_test: self.cfg_test, ..Attrs::default() };
        let mut doc = String::new();
        let mut span = None;
        if attrs.is_empty() {
            self.doc_comments(lo, &mut span, &mut doc);
            out.doc = doc.into();
            return Head { attrs: out, span };
        }
        let mut derives = Vec::new();
        let mut others = Vec::new();
        for attr in attrs {
            let at = self.attr_span(attr);
            if matches!(attr.style, AttrStyle::Outer) {
                self.doc_comments(at.lo, &mut span, &mut doc);
                span = Some(span.map_or(at, |s| s.to(at)));
            }
            self.meta(&attr.meta, &mut out, &mut derives, &mut others, &mut doc);
        }
        self.doc_comments(lo, &mut span, &mut doc);
        out.derives = derives.into();
        out.others = others.into();
        out.doc = doc.into();
        Head { attrs: out, span }
    }

    fn attr_span(&self, attr: &Attribute) -> Span {
        Span::new(self.lo(attr.pound_token.spans[0]), self.hi(attr.bracket_token.span.close()))
    }

    /// Where the doc comments before the token at `lo` stand.
    pub(super) fn docs_before(&self, lo: u32) -> Option<Span> {
        let index = self.docs.binary_search_by_key(&lo, |d| d.next).ok()?;
        self.docs.get(index).map(|d| d.span)
    }

    fn doc_comments(&self, lo: u32, span: &mut Option<Span>, doc: &mut String) {
        let Some(at) = self.docs_before(lo) else { return };
        *span = Some(span.map_or(at, |s| s.to(at)));
        let text = self.text.get(at.lo as usize..at.hi as usize).unwrap_or("");
        for line in text.lines() {
            if doc.len() >= DOC_BYTES {
                return;
            }
            // A plain comment may stand between the lines.
            let line = line.trim_start();
            if line.starts_with("//") && (!line.starts_with("///") || line.starts_with("////")) {
                continue;
            }
            push_doc(doc, line.trim_start_matches(['/', '*']).trim_end_matches("*/"));
        }
    }

    fn meta(
        &self,
        meta: &Meta,
        out: &mut Attrs,
        derives: &mut Vec<Name>,
        others: &mut Vec<Name>,
        doc: &mut String,
    ) {
        let Some(last) = meta.path().segments.last() else { return };
        let name = self.name(&last.ident);
        match (name.as_str(), meta) {
            ("cfg", Meta::List(list)) => {
                let cfg = cfg::read(list.tokens.clone(), self.cfg_test);
                out.cfg_test |= cfg.test;
                out.cfg_other |= cfg.other;
                out.cfg_off |= !cfg.holds && !cfg.test;
            }
            ("derive", Meta::List(list)) => {
                derives.extend(last_words(list.tokens.clone()).iter().map(|w| Name::new(w)));
            }
            ("doc", Meta::NameValue(nv)) => {
                if let Some(text) = str_lit(&nv.value)
                    && doc.len() < DOC_BYTES
                {
                    push_doc(doc, &text.value());
                }
            }
            ("path", Meta::NameValue(nv)) => {
                if let Some(text) = str_lit(&nv.value)
                    && out.path.is_none()
                {
                    out.path = Some(text.value().into());
                }
            }
            ("cfg_attr", Meta::List(list)) => {
                let parsed = list
                    .parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated);
                for meta in parsed.iter().flatten().skip(1) {
                    let mut inner = Attrs::default();
                    self.meta(meta, &mut inner, derives, others, doc);
                    out.path = out.path.take().or(inner.path);
                }
            }
            _ => {
                out.test |= is_test(name.as_str());
                others.push(name);
            }
        }
    }

    /// Whether a `cfg` keeps a statement, field or arm out of the build that bodies are read for; `#[cfg(test)]` keeps
    /// it out of code that is not test code itself.
    pub(super) fn compiled_out(&self, attrs: &[Attribute]) -> bool {
        !attrs.is_empty() && attrs.iter().any(|attr| attr.path().is_ident("cfg") && self.is_off(attr))
    }

    /// Whether an attribute is a `cfg` that does not hold (or one of tests, in code that is none).
    pub(super) fn is_off(&self, attr: &Attribute) -> bool {
        let cfg = self.cfg_of(attr);
        cfg.is_some_and(|cfg| !cfg.holds || (cfg.test && !self.cfg_test))
    }

    /// What a `cfg` (as in `if #[cfg(…)]`) says.
    pub(super) fn cfg_of(&self, attr: &Attribute) -> Option<Cfg> {
        match &attr.meta {
            Meta::List(list) if list.path.is_ident("cfg") => {
                Some(cfg::read(list.tokens.clone(), self.cfg_test))
            }
            _ => None,
        }
    }
}

fn push_doc(doc: &mut String, words: &str) {
    for word in words.split_whitespace() {
        if doc.len() + word.len() >= DOC_BYTES {
            return;
        }
        if !doc.is_empty() {
            doc.push(' ');
        }
        doc.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    }
}

fn str_lit(expr: &syn::Expr) -> Option<&syn::LitStr> {
    match expr {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(s), .. }) => Some(s),
        _ => None,
    }
}

/// `test`, `tokio::test`, `bench`, `rstest`, `wasm_bindgen_test`…
fn is_test(last: &str) -> bool {
    matches!(last, "test" | "bench" | "rstest" | "test_case" | "quickcheck" | "proptest")
        || last.ends_with("_test")
}

/// Last segments of comma-separated paths: `Clone, serde::Serialize`.
fn last_words(tokens: TokenStream) -> Vec<String> {
    let mut out = Vec::new();
    let mut last = None;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => last = Some(ident.to_string()),
            TokenTree::Punct(p) if p.as_char() == ',' => out.extend(last.take()),
            _ => {}
        }
    }
    out.extend(last);
    out
}
