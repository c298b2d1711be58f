//! The little language of knowledge files: types and signatures much as Rust writes them.
//!
//! `name<G>(&self, &str, Fn(T) -> G) -> Option<G> : tag tag=value`. `Iter<T>` is any iterator of `T`, `Future<T>` what
//! awaits to `T`, `Fn(A) -> B` any callable, `_` unknown. A name without `::` is a parameter, a primitive, or the last
//! segment of a known type.

use rustc_hash::FxHashMap;

use crate::infer::SelfMode;
use crate::name::{Name, well_known};
use crate::ty::{Bound, TraitRef, Ty, TyKind};

/// Last segment → canonical path.
pub(super) type Shorts = FxHashMap<Name, Name>;

/// A parsed signature.
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) generics: Vec<Name>,
    pub(super) self_mode: Option<SelfMode>,
    pub(super) params: Vec<Ty>,
    pub(super) ret: Ty,
    pub(super) tags: Vec<String>,
}

pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    params: Vec<Name>,
    shorts: &'a Shorts,
}

type Parsed<T> = Result<T, String>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, params: Vec<Name>, shorts: &'a Shorts) -> Parser<'a> {
        Parser { text, at: 0, params, shorts }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        let rest = self.rest();
        let word = token.ends_with(|c: char| c.is_alphanumeric());
        if rest.starts_with(token)
            && !(word && rest[token.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        {
            self.at += token.len();
            return true;
        }
        false
    }

    fn need(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(format!("`{token}` expected before `{}` in `{}`", self.rest(), self.text))
        }
    }

    pub(super) fn ident(&mut self) -> Parsed<&'a str> {
        self.skip();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            return Err(format!("a name expected before `{rest}` in `{}`", self.text));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    pub(super) fn path(&mut self) -> Parsed<String> {
        let mut path = self.ident()?.to_owned();
        while self.rest().starts_with("::") {
            self.at += 2;
            path.push_str("::");
            path.push_str(self.ident()?);
        }
        Ok(path)
    }

    /// `path<A, B>` of a heading: the path and its parameters.
    pub(super) fn heading(&mut self) -> Parsed<(String, Vec<Name>)> {
        let path = self.path()?;
        let params = self.generic_names()?;
        self.end()?;
        Ok((path, params))
    }

    fn generic_names(&mut self) -> Parsed<Vec<Name>> {
        let mut params = Vec::new();
        if self.eat("<") {
            loop {
                params.push(Name::new(self.ident()?));
                if !self.eat(",") {
                    break;
                }
            }
            self.need(">")?;
        }
        Ok(params)
    }

    pub(super) fn end(&mut self) -> Parsed<()> {
        self.skip();
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(format!("`{}` is left over in `{}`", self.rest(), self.text))
        }
    }

    pub(super) fn ty(&mut self) -> Parsed<Ty> {
        if self.eat("&") {
            let mutable = self.eat("mut");
            return Ok(Ty::reference(mutable, self.ty()?));
        }
        if self.eat("*") {
            return Ok(Ty::new(TyKind::Ptr(self.ty()?)));
        }
        if self.eat("(") {
            let mut parts = Vec::new();
            while !self.eat(")") {
                parts.push(self.ty()?);
                if !self.eat(",") {
                    self.need(")")?;
                    break;
                }
            }
            return Ok(Ty::new(TyKind::Tuple(parts.into())));
        }
        if self.eat("[") {
            let inner = self.ty()?;
            let array = self.eat(";");
            if array {
                self.ident()?;
            }
            self.need("]")?;
            return Ok(Ty::new(if array { TyKind::Array(inner) } else { TyKind::Slice(inner) }));
        }
        if self.eat("!") {
            return Ok(Ty::NEVER);
        }
        if self.eat("_") {
            return Ok(Ty::UNKNOWN);
        }
        let path = self.path()?;
        if path == "Fn" {
            self.need("(")?;
            let mut params = Vec::new();
            while !self.eat(")") {
                params.push(self.ty()?);
                if !self.eat(",") {
                    self.need(")")?;
                    break;
                }
            }
            let ret = if self.eat("->") { self.ty()? } else { Ty::UNIT };
            return Ok(Ty::new(TyKind::FnPtr(params.into(), ret)));
        }
        let mut args = Vec::new();
        if self.eat("<") {
            loop {
                args.push(self.ty()?);
                if !self.eat(",") {
                    break;
                }
            }
            self.need(">")?;
        }
        let name = Name::new(&path);
        if let Some((base, assoc)) = path.rsplit_once("::")
            && (self.params.contains(&Name::new(base)) || base == "Self")
        {
            return Ok(Ty::new(TyKind::Assoc(Ty::new(TyKind::Param(Name::new(base))), Name::new(assoc))));
        }
        if self.params.contains(&name) || name == well_known::SELF_TYPE {
            return Ok(Ty::new(TyKind::Param(name)));
        }
        Ok(match path.as_str() {
            "bool" => Ty::BOOL,
            "char" => Ty::CHAR,
            "str" => Ty::STR,
            "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128"
            | "usize" => Ty::new(TyKind::Int(name)),
            "f32" | "f64" => Ty::new(TyKind::Float(name)),
            "Iter" => iterator_of(args.first().copied().unwrap_or(Ty::UNKNOWN)),
            "Future" => Ty::new(TyKind::Future(args.first().copied().unwrap_or(Ty::UNKNOWN))),
            _ if path.contains("::") => Ty::new(TyKind::Ext(name, args.into())),
            _ => match self.shorts.get(&name) {
                Some(&full) => Ty::new(TyKind::Ext(full, args.into())),
                None => return Err(format!("unknown type `{path}` in `{}`", self.text)),
            },
        })
    }

    /// A whole signature with tags.
    pub(super) fn signature(mut self) -> Parsed<Signature> {
        let is_async = self.eat("async");
        let mut name = self.path()?;
        while self.eat("|") {
            name.push('|');
            name.push_str(&self.path()?);
        }
        let generics = self.generic_names()?;
        self.params.extend(generics.iter().copied());
        self.need("(")?;
        let mut self_mode = None;
        let mut params = Vec::new();
        let mut first = true;
        while !self.eat(")") {
            if first && (self.eat("&self") || self.eat("& self")) {
                self_mode = Some(SelfMode::Ref);
            } else if first && self.eat("&mut self") {
                self_mode = Some(SelfMode::RefMut);
            } else if first && self.eat("self") {
                self_mode = Some(SelfMode::Value);
            } else {
                params.push(self.ty()?);
            }
            first = false;
            if !self.eat(",") {
                self.need(")")?;
                break;
            }
        }
        let mut ret = if self.eat("->") { self.ty()? } else { Ty::UNIT };
        if is_async {
            ret = Ty::new(TyKind::Future(ret));
        }
        let mut tags = Vec::new();
        if self.eat(":") {
            tags = self.rest().split_whitespace().map(str::to_owned).collect();
            self.at = self.text.len();
        }
        self.end()?;
        Ok(Signature { name, generics, self_mode, params, ret, tags })
    }
}

/// An iterator of `item`, whatever its real type.
pub(crate) fn iterator_of(item: Ty) -> Ty {
    Ty::new(TyKind::Opaque(Box::new([Bound {
        trait_: TraitRef::Ext(Name::new("std::iter::Iterator")),
        args: Box::new([]),
        bindings: Box::new([(well_known::ITEM, item)]),
    }])))
}
