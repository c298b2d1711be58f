//! The declaration, its initialisers, and the imports that come and go with them.

use uncork_lints::hir::{FieldDecl, Import, ItemKind, Path, TypeKind, TypeRef};
use uncork_lints::name::Name;
use uncork_lints::program::{BodyIx, DefId, ModIx, Program, Res};
use uncork_lints::source::{FileId, Span};
use uncork_lints::ty::TyKind;

use super::to::{Held, To};
use super::{Blocked, Migration, Step, Target};

pub(super) const WRAPPERS: [&str; 5] = ["Arc", "LazyLock", "Lazy", "Box", "Rc"];
pub(super) const LOCKS: [&str; 2] = ["RwLock", "Mutex"];

pub(super) fn fields(program: &Program, def: DefId) -> &[FieldDecl] {
    match &program.item(def).kind {
        ItemKind::Struct(s) => &s.fields,
        _ => &[],
    }
}

fn last(ty: &TypeRef) -> Option<(Name, &[TypeRef])> {
    let TypeKind::Path(path) = &ty.kind else { return None };
    let segment = path.segments.last()?;
    Some((segment.name, segment.args.as_ref().map_or(&[], |a| &a.types)))
}

impl<'a> Migration<'_, 'a> {
    pub(super) fn declaring_file(&self) -> FileId {
        let program = &self.cx.analysis.program;
        match self.target {
            Target::Field(def, _) | Target::Static(def) => program.def(def).file,
        }
    }

    /// Rewrites the declared type.
    pub(super) fn declaration(&mut self) -> Step {
        let program = &self.cx.analysis.program;
        let file = self.declaring_file();
        let (ty, def) = match self.target {
            Target::Field(def, field) => {
                let decl = fields(program, def).iter().find(|f| f.name == field);
                (decl.map(|f| &f.ty), def)
            }
            Target::Static(def) => match &program.item(def).kind {
                ItemKind::Static { ty, .. } => (Some(ty), def),
                _ => (None, def),
            },
        };
        let blocked = |reason, ty: Option<&TypeRef>| Blocked {
            reason,
            at: ty.map(|t| uncork_lints::source::Location { file, span: t.span }),
        };
        let odd = || blocked("the declaration is spelled in a way that is not understood", ty);
        if program.item(def).from_macro {
            return Err(blocked("the declaration stands in a macro", ty));
        }
        let derives = &program.item(def).attrs.derives;
        if derives.iter().any(|d| matches!(d.as_str(), "Serialize" | "Deserialize" | "PartialEq")) {
            return Err(blocked("the struct derives a trait that the concurrent map lacks", ty));
        }
        let locked = self.held == Held::Locked;
        let map_names: &[&str] =
            if self.held == Held::Concurrent { &["DashMap"] } else { &["HashMap", "HashSet"] };
        let module = program.def(def).module;
        let mut here = ty.ok_or_else(odd)?;
        loop {
            let (name, args) = last(here).ok_or_else(odd)?;
            let name = self.outside_name(module, name);
            let outermost = if locked { &LOCKS[..] } else { map_names };
            if outermost.contains(&name) {
                break;
            }
            match args {
                [inner, ..] if WRAPPERS.contains(&name) => {
                    self.in_handle |= matches!(name, "Arc" | "Rc");
                    here = inner;
                }
                _ if locked => return Err(blocked("the declaration hides the lock behind an alias", ty)),
                _ => return Err(blocked("the declaration hides the map behind an alias", ty)),
            }
        }
        let map = match locked {
            false => here,
            true => {
                let (_, lock_args) = last(here).ok_or_else(odd)?;
                let [map] = lock_args else { return Err(odd()) };
                map
            }
        };
        let (map_name, map_args) = last(map).ok_or_else(odd)?;
        if !map_names.contains(&self.outside_name(module, map_name)) {
            return Err(blocked("the declaration hides the map behind an alias", ty));
        }
        if map_args.len() != if self.set { 1 } else { 2 } {
            return Err(blocked("the map has a hasher of its own", ty));
        }
        let mutex = last(here).is_some_and(|(n, _)| self.outside_name(module, n) == "Mutex");
        self.values_shareable(mutex && !self.to.keeps_lock(), ty, file)?;
        if self.to.is_cache() {
            self.cache_can_stand_there(file)?;
        }
        let spelled = self.import(file, def);
        let (Some(first), Some(end)) = (map_args.first(), map_args.last()) else { return Err(odd()) };
        let inner = self.cx.slice(file, first.span.to(end.span));
        let text = format!("{spelled}<{inner}>");
        let goes = if self.to.keeps_lock() { map.span } else { here.span };
        let edit = self.cx.edit(file, goes, text);
        self.edits.push(edit);
        Ok(())
    }

    /// What a type from outside is called where it comes from: `RwLock` for `use parking_lot::RwLock as PRwLock`.
    fn outside_name(&self, module: ModIx, name: Name) -> &'a str {
        let names = &self.cx.analysis.program.module(module).names;
        match names.get(&name).and_then(|n| n.types) {
            Some(Res::Ext(path)) => path.as_str().rsplit("::").next().unwrap_or_default(),
            _ => name.as_str(),
        }
    }

    /// The segments of a path, its type by the name it has where it comes from.
    pub(super) fn plain_names(&self, body: BodyIx, path: &Path) -> Vec<&'a str> {
        let program = &self.cx.analysis.program;
        let module = program.def(program.body_info(body).owner).module;
        let mut names: Vec<&'a str> = path.segments.iter().map(|s| s.name.as_str()).collect();
        if let [ty, _] = &mut names[..] {
            *ty = self.outside_name(module, Name::new(ty));
        }
        names
    }

    /// A mutex asks only that values can be sent; shards are read by many at once.
    fn values_shareable(&self, mutex: bool, ty: Option<&TypeRef>, file: FileId) -> Step {
        if !mutex {
            return Ok(());
        }
        let TyKind::Ext(_, args) = self.core.kind() else { return Ok(()) };
        let program = &self.cx.analysis.program;
        let mut seen = Vec::new();
        let doubtful = args.iter().any(|&arg| may_not_be_sync(program, arg, &mut seen, 0));
        if doubtful {
            let at = ty.map(|t| uncork_lints::source::Location { file, span: t.span });
            return Err(Blocked { reason: "the values may not be shared between threads", at });
        }
        Ok(())
    }

    /// How the file says the new type: imported beside its other imports, or by full path where it has none.
    fn import(&mut self, file: FileId, def: DefId) -> String {
        let path = self.plain_path();
        // A map of the same name as std's would be read as that one.
        if self.to == To::Papaya {
            return path;
        }
        let plain = self.new_name.clone();
        let program = &self.cx.analysis.program;
        let scope = program.item(def).scope;
        let items = &program.file(file).items;
        let uses = items.iter().filter(|i| i.scope == scope && matches!(i.kind, ItemKind::Use(_)));
        let mut first = None;
        for item in uses {
            let ItemKind::Use(imports) = &item.kind else { continue };
            if imports.iter().any(|i| self.is_import(i)) {
                return plain;
            }
            if first.is_none() && !item.attrs.cfg_other && !item.attrs.cfg_test {
                first = Some(item.span);
            }
        }
        let Some(span) = first else { return path };
        // A name that already means something else here must keep its meaning.
        let text = self.cx.text(file);
        if mentions_word(text, &plain) {
            return path;
        }
        let at = Span::new(span.lo, span.lo);
        let edit = self.cx.edit(file, at, format!("use {path};\n{}", indent(text, span.lo)));
        self.edits.push(edit);
        plain
    }

    /// Whether an import brings the new type under its own name.
    fn is_import(&self, import: &Import) -> bool {
        let path: Vec<&str> = import.path.iter().map(|n| n.as_str()).collect();
        path.join("::") == self.plain_path() && import.name.is_some_and(|n| n.as_str() == self.new_name)
    }

    /// The new type's name as a body's file can say it.
    pub(super) fn name_in(&mut self, body: BodyIx) -> String {
        let file = self.cx.analysis.program.body_info(body).file;
        let declared = self.declaring_file();
        let path = self.plain_path();
        if self.to == To::Papaya || file != declared {
            return path;
        }
        let added = format!("use {path};");
        let imported =
            self.edits.iter().any(|e| e.path == self.cx.path(declared) && e.replacement.starts_with(&added));
        let items = &self.cx.analysis.program.file(declared).items;
        let already = items.iter().any(|i| match &i.kind {
            ItemKind::Use(imports) => imports.iter().any(|i| self.is_import(i)),
            _ => false,
        });
        if imported || already { self.new_name.clone() } else { path }
    }
}

/// Where an identifier stands in a text, comments and strings included: what is in doubt is kept.
pub(super) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let ident = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(ident) && !after.is_some_and(ident)
    })
}

pub(super) fn mentions_word(text: &str, word: &str) -> bool {
    words(text, word).next().is_some()
}

/// The blanks that begin the line of an offset.
pub(super) fn indent(text: &str, at: u32) -> &str {
    let line = text.get(..at as usize).unwrap_or("").rsplit('\n').next().unwrap_or("");
    &line[..line.len() - line.trim_start().len()]
}

/// Whether a type may hold something that only one thread at a time may look at.
fn may_not_be_sync(program: &Program, ty: uncork_lints::ty::Ty, seen: &mut Vec<DefId>, depth: u8) -> bool {
    if depth > 8 {
        return true;
    }
    match ty.kind() {
        TyKind::Unknown | TyKind::Var(_) | TyKind::Assoc(..) | TyKind::Ptr(_) | TyKind::Closure(..) => true,
        TyKind::Dyn(bounds) | TyKind::Opaque(bounds) => !bounds
            .iter()
            .any(|b| matches!(b.trait_, uncork_lints::ty::TraitRef::Ext(n) if n.as_str().ends_with("Sync"))),
        TyKind::Ext(path, args) => {
            // A lock inside makes shareable what can be sent.
            let own = matches!(
                path.as_str(),
                "std::cell::RefCell" | "std::cell::Cell" | "std::rc::Rc" | "std::sync::mpsc::Receiver"
            );
            let lock = program.knowledge.types.get(path).is_some_and(|i| i.lock.is_some());
            own || (!lock && args.iter().any(|&a| may_not_be_sync(program, a, seen, depth + 1)))
        }
        TyKind::Adt(def, args) => {
            if seen.contains(def) {
                return false;
            }
            seen.push(*def);
            let declared = program.decls.fields.get(def).into_iter().flatten();
            let variants = program.variants.get(def).into_iter().flat_map(|v| v.values());
            let in_variants = variants.filter_map(|v| program.decls.fields.get(v)).flatten();
            declared.chain(in_variants).any(|(_, t)| may_not_be_sync(program, *t, seen, depth + 1))
                || args.iter().any(|&a| may_not_be_sync(program, a, seen, depth + 1))
        }
        TyKind::Tuple(args) => args.iter().any(|&a| may_not_be_sync(program, a, seen, depth + 1)),
        TyKind::Ref(_, t) | TyKind::Slice(t) | TyKind::Array(t) => {
            may_not_be_sync(program, *t, seen, depth + 1)
        }
        _ => false,
    }
}
