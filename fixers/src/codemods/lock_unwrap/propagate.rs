//! `poison = "propagate"`: how a poisoned lock becomes the error that a function returns.
//!
//! What the error type says of itself comes first: a conversion of its own, a variant named for it. Then a variant for
//! whatever else there is, then what it can be made of: a text, another error type of the workspace, an I/O error.

use uncork_lints::hir::{FieldDecl, ItemKind};
use uncork_lints::name::Name;
use uncork_lints::program::{DefId, ModIx, Res};
use uncork_lints::source::Location;
use uncork_lints::ty::{Ty, TyKind};

use super::super::Context;
use super::Panic;

pub(super) type Why = (&'static str, Option<Location>);

const NO_VARIANT: &str = "the function's error type has no variant for a poisoned lock";
const CANNOT_HOLD: &str = "the function's error type cannot hold a poisoned lock";
const TEXT: &str = "e.to_string()";
const IO: &str = "std::io::Error::other(e.to_string())";
/// How many conversions are gone through, one after another.
const DEPTH: u8 = 3;

/// Words in the names of variants for whatever else there is.
const ANYTHING: [&str; 8] =
    ["other", "internal", "unknown", "custom", "generic", "message", "unexpected", "misc"];

/// An expression, made of the lock's error `e`, that `?` turns into the wanted error.
struct Way {
    text: String,
    /// The type it has.
    ty: Made,
    /// What it becomes, where that is not the type's own word for a poisoned lock.
    kind: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    /// A type of the workspace.
    Def(DefId),
    String,
    Io,
    /// The lock's own error.
    Poison,
}

/// What takes the place of `unwrap()`: `?` where the error type has the conversion, else `map_err(…)?`; and as what the
/// error then comes, where its name does not say it.
pub(super) fn conversion(cx: &Context<'_>, panic: &Panic<'_>) -> Result<(String, Option<String>), Why> {
    let program = &cx.analysis.program;
    if panic.tree.in_inner_body(panic.result) {
        return Err(("inside a closure or async block the error has nowhere to go", None));
    }
    let owner = program.body_info(panic.body).owner;
    let here = Some(program.name_location(owner));
    let ret = program.decls.sigs.get(&owner).map(|s| s.ret);
    let error = match ret.map(|r| r.kind()) {
        Some(TyKind::Ext(path, args)) if path.as_str() == "std::result::Result" => args.get(1).copied(),
        _ => return Err(("the function does not return a `Result`", here)),
    };
    let Some(error) = error else { return Err(("the function's error type is not known", here)) };
    let mapped = |text: &str| format!("map_err(|e| {text})?");
    match error.kind() {
        TyKind::Ext(path, args) => match path.as_str() {
            "anyhow::Error" => Ok((mapped("anyhow::anyhow!(\"{e}\")"), None)),
            "std::boxed::Box" if matches!(args.first().map(|t| t.kind()), Some(TyKind::Dyn(_))) => {
                Ok((mapped(TEXT), None))
            }
            "std::string::String" => Ok((mapped(TEXT), None)),
            "std::sync::PoisonError" => Ok(("?".into(), None)),
            "std::io::Error" => Ok((mapped(IO), Some("an I/O error of kind `Other`".into()))),
            _ => Err((CANNOT_HOLD, here)),
        },
        TyKind::Adt(def, _) => {
            let seen = Seen { cx, module: program.def(owner).module };
            let way = seen.way(*def, DEPTH).ok_or((NO_VARIANT, here))?;
            let call = match way.ty {
                Made::Poison => "?".to_owned(),
                _ if way.text.contains("e.to_string()") => mapped(&way.text),
                _ => format!("map_err(|_| {})?", way.text),
            };
            Ok((call, way.kind))
        }
        _ => Err((CANNOT_HOLD, here)),
    }
}

/// The module that the error has to be named in.
struct Seen<'c, 'a> {
    cx: &'c Context<'a>,
    module: ModIx,
}

impl Seen<'_, '_> {
    /// How to make something that an error type is, or has a conversion from.
    fn way(&self, error: DefId, depth: u8) -> Option<Way> {
        let depth = depth.checked_sub(1)?;
        let from = self.conversions(error);
        if from.iter().any(|t| t.is_ext("std::sync::PoisonError")) {
            return Some(Way { text: String::new(), ty: Made::Poison, kind: None });
        }
        let named = |name: &str| name.contains("poison") || name == "lock" || name == "lockerror";
        if let Some(text) = self.variant(error, &named) {
            return Some(Way { text, ty: Made::Def(error), kind: None });
        }
        let anything = |name: &str| ANYTHING.iter().any(|w| name.contains(w));
        if let Some(text) = self.variant(error, &anything).filter(|text| text.contains(TEXT)) {
            let kind = text.split(['(', '{']).next().map(|path| format!("`{}`", path.trim_end()));
            return Some(Way { text, ty: Made::Def(error), kind });
        }
        if from.iter().any(|t| t.is_ext("std::string::String")) {
            return Some(Way { text: TEXT.into(), ty: Made::String, kind: Some("a text".into()) });
        }
        let others = from.iter().filter_map(|t| match t.kind() {
            TyKind::Adt(def, _) if *def != error => Some(*def),
            _ => None,
        });
        for other in others {
            let Some(way) = self.way(other, depth) else { continue };
            // One conversion is what `?` makes by itself.
            let made = match way.ty {
                Made::Poison => Some(Way { text: format!("{}::from(e)", self.name_of(other)?), ..way }),
                Made::Def(def) if def == other => Some(way),
                _ => Some(Way { text: format!("{}::from({})", self.name_of(other)?, way.text), ..way }),
            };
            if let Some(way) = made {
                return Some(Way { ty: Made::Def(other), ..way });
            }
        }
        from.iter().any(|t| t.is_ext("std::io::Error")).then(|| Way {
            text: IO.into(),
            ty: Made::Io,
            kind: Some("an I/O error of kind `Other`".into()),
        })
    }

    /// What a type has a `From` of, in the workspace's words: `impl`s, and fields with `#[from]`.
    fn conversions(&self, error: DefId) -> Vec<Ty> {
        let program = &self.cx.analysis.program;
        let decls = &program.decls;
        let mut impls: Vec<_> =
            decls.impl_trait.iter().filter(|(i, _)| decls.impl_self_def(**i) == Some(error)).collect();
        impls.sort_by_key(|(i, _)| **i);
        let is_from = |t: &uncork_lints::ty::TraitRef| matches!(t, uncork_lints::ty::TraitRef::Ext(n) if n.as_str() == "std::convert::From");
        let mut out: Vec<Ty> = impls
            .into_iter()
            .filter(|(_, bound)| is_from(&bound.trait_))
            .filter_map(|(_, bound)| bound.args.first().copied())
            .collect();
        let ItemKind::Enum(item) = &program.item(error).kind else { return out };
        let file = program.def(error).file;
        for variant in &item.variants {
            let [FieldDecl { span, .. }] = &variant.fields[..] else { continue };
            let derived = self.cx.slice(file, *span).contains("#[from]");
            let def = program.variants.get(&error).and_then(|v| v.get(&variant.name));
            if let (true, Some([(_, ty)])) =
                (derived, def.and_then(|d| decls.fields.get(d)).map(Vec::as_slice))
            {
                out.push(*ty);
            }
        }
        out
    }

    /// A variant whose name is asked for and that holds nothing, or a text.
    fn variant(&self, error: DefId, wanted: &dyn Fn(&str) -> bool) -> Option<String> {
        let program = &self.cx.analysis.program;
        let ItemKind::Enum(item) = &program.item(error).kind else { return None };
        for v in item.variants.iter().filter(|v| wanted(&v.name.as_str().to_ascii_lowercase())) {
            let path = format!("{}::{}", self.name_of(error)?, v.name);
            if v.fields.is_empty() && !v.tuple {
                return Some(path);
            }
            let def = program.variants.get(&error)?.get(&v.name)?;
            let [(name, ty)] = program.decls.fields.get(def)?.as_slice() else { continue };
            if !ty.is_ext("std::string::String") {
                continue;
            }
            return Some(match v.tuple {
                true => format!("{path}({TEXT})"),
                false => format!("{path} {{ {name}: {TEXT} }}"),
            });
        }
        None
    }

    /// The type as the module can name it.
    fn name_of(&self, def: DefId) -> Option<String> {
        let program = &self.cx.analysis.program;
        let wanted = Some(Res::Def(def));
        let mut here = Some(self.module);
        while let Some(m) = here {
            let module = program.module(m);
            let mut names: Vec<&str> = module
                .names
                .iter()
                .filter(|&(&name, n)| n.types == wanted && self.always_there(m, name))
                .map(|(name, _)| name.as_str())
                .collect();
            names.sort_unstable();
            if let Some(name) = names.first() {
                return Some((*name).to_owned());
            }
            here = if module.block { module.parent } else { None };
        }
        let krate = program.module(self.module).krate;
        let mut m = program.def(def).module;
        if program.module(m).krate != krate {
            return None;
        }
        let mut segments = vec![program.def(def).name.to_string()];
        while let Some(parent) = program.module(m).parent {
            segments.push(program.module(m).name?.to_string());
            m = parent;
        }
        segments.push("crate".to_owned());
        segments.reverse();
        Some(segments.join("::"))
    }

    /// Whether a name is in a module whatever is built: not by an import under a `cfg` alone.
    fn always_there(&self, module: ModIx, name: Name) -> bool {
        let module = self.cx.analysis.program.module(module);
        let items = &self.cx.analysis.program.file(module.file).items;
        let mut imports = items
            .iter()
            .filter(|item| {
                item.scope == module.scope
                    && matches!(&item.kind, ItemKind::Use(imports) if imports.iter().any(|i| i.name == Some(name)))
            })
            .peekable();
        imports.peek().is_none() || imports.any(|item| !item.attrs.cfg_other && !item.attrs.cfg_test)
    }
}
