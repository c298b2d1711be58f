//! The generic type, the aliases, and what follows from them elsewhere.

use std::collections::BTreeMap;

use uncork_lints::hir::{ItemKind, Visibility};
use uncork_lints::infer::Callee;
use uncork_lints::program::{BodyIx, DefId, ModIx};
use uncork_lints::source::{FileId, Span};

use super::super::imports::{joined, mentions_word, unused};
use super::super::text::whole_lines;
use super::bounds::Bounds;
use super::{Members, Moved, Step, blocked, fields};
use crate::edit::Edit;

pub(super) struct Written {
    pub(super) name: String,
    pub(super) edits: Vec<Edit>,
}

/// What code outside the generic type's module needs to see.
#[derive(Default)]
pub(super) struct Opened {
    fields: Vec<usize>,
    methods: Vec<usize>,
}

impl Members<'_, '_> {
    pub(super) fn write(&self, moved: &[Moved], bounds: &Bounds) -> Step<Written> {
        let name = self.generic_name()?;
        let mut edits = Vec::new();
        let opened = self.elsewhere(moved, &mut edits)?;
        let generic = self.generic(&name, moved, bounds, &opened);
        for (i, &def) in self.defs.iter().enumerate() {
            let item = self.program.item(def);
            let file = self.program.def(def).file;
            let alias = self.alias(i, &name)?;
            let text = match i == self.model {
                true => {
                    let indent = self.indent(file, item.span.lo);
                    format!("{generic}\n\n{indent}{alias}")
                }
                false => alias,
            };
            edits.push(self.cx.edit(file, item.span, text));
        }
        self.without_moved(moved, &mut edits);
        self.imports(&name, &mut edits)?;
        Ok(Written { name, edits })
    }

    /// The word that the members' names end in, or one that goes with every store.
    pub(super) fn generic_name(&self) -> Step<String> {
        let names: Vec<String> = self.defs.iter().map(|&d| self.program.def(d).name.to_string()).collect();
        let mut common = names[0].clone();
        for name in &names {
            while !name.ends_with(&common) {
                common.remove(0);
            }
        }
        let word = common.find(char::is_uppercase).map_or("", |at| &common[at..]);
        let word = if word.len() < 3 { "Store" } else { word };
        let free = |candidate: &str| {
            self.defs.iter().all(|&d| !mentions_word(self.cx.text(self.program.def(d).file), candidate))
        };
        let candidates = [word.to_owned(), format!("Generic{word}"), format!("Shared{word}")];
        match candidates.into_iter().find(|c| free(c)) {
            Some(name) => Ok(name),
            None => blocked("no name is free for the generic type", self.place(0)),
        }
    }

    pub(super) fn indent(&self, file: FileId, at: u32) -> String {
        let line = self.cx.text(file).get(..at as usize).unwrap_or("").rsplit('\n').next().unwrap_or("");
        line[..line.len() - line.trim_start().len()].to_owned()
    }

    pub(super) fn generic(&self, name: &str, moved: &[Moved], bounds: &Bounds, opened: &Opened) -> String {
        let def = self.model_def();
        let item = self.program.item(def);
        let file = self.program.def(def).file;
        let text = self.cx.text(file);
        let indent = self.indent(file, item.span.lo);
        let attributes = self.attributes(def);
        let params: Vec<&str> = self.order.iter().map(|n| self.params[n].name.as_str()).collect();
        let bounded: Vec<String> = self
            .order
            .iter()
            .map(|n| {
                let name = &self.params[n].name;
                match bounds.get(n) {
                    Some(b) if !b.is_empty() => {
                        let list: Vec<&str> = b.iter().copied().collect();
                        format!("{name}: {}", list.join(" + "))
                    }
                    _ => name.clone(),
                }
            })
            .collect();

        let mut replacements = vec![(item.name_span, format!("{name}<{}>", params.join(", ")))];
        for (aligned, shared) in self.cluster.fields.iter().zip(&self.fields) {
            let Some(field) = aligned.field[self.model].and_then(|at| fields(self.program, def).get(at))
            else {
                continue;
            };
            if shared.name != field.name.as_str() {
                replacements.push((field.name_span, shared.name.clone()));
            }
            for hole in &aligned.holes {
                if let (Some(span), Some(param)) = (hole.at[self.model], self.params.get(&hole.param)) {
                    replacements.push((span, param.name.clone()));
                }
            }
            let at = aligned.field[self.model].unwrap_or(usize::MAX);
            if opened.fields.contains(&at) && field.vis == Visibility::Private {
                replacements.push((Span::new(field.name_span.lo, field.name_span.lo), "pub(crate) ".into()));
            }
        }
        let code = Span::new(item.attrs_span.hi.max(item.span.lo), item.span.hi);
        let declared = rewritten(text, code, replacements);
        let declared = declared.trim_start();
        let declared = match declared.strip_prefix("struct ") {
            Some(rest) => format!("{}struct {rest}", self.visibility()),
            None => declared.to_owned(),
        };
        let names: Vec<String> = self.defs.iter().map(|&d| self.program.display(d)).collect();
        let shown: Vec<String> = names.iter().take(3).map(|n| format!("[`{n}`]")).collect();
        let more = match names.len() {
            0..=3 => String::new(),
            n => format!(" and {} more", n - 3),
        };
        let mut out = format!("/// What {}{more} have in common.\n", shown.join(", "));
        for attribute in &attributes {
            out.push_str(&format!("{indent}{attribute}\n"));
        }
        out.push_str(&format!("{indent}{declared}\n\n"));
        out.push_str(&format!("{indent}impl<{}> {name}<{}> {{\n", bounded.join(", "), params.join(", ")));
        for (i, method) in moved.iter().enumerate() {
            let function = method.functions[self.model];
            let own = self.program.item(function);
            let file = self.program.def(function).file;
            let text = self.cx.text(file);
            let mut replacements = method.replacements.clone();
            if opened.methods.contains(&i) && own.vis == Visibility::Private {
                let at = super::super::imports::words(text, "fn")
                    .map(|at| at as u32)
                    .find(|at| *at >= own.attrs_span.hi.max(own.span.lo));
                if let Some(at) = at {
                    replacements.push((Span::new(at, at), "pub(crate) ".into()));
                }
            }
            let lo = super::super::text::before_comments(text, own.span.lo);
            let body = rewritten(text, Span::new(lo, own.span.hi), replacements);
            if i > 0 {
                out.push('\n');
            }
            out.push_str(&format!("{indent}    {body}\n"));
        }
        out.push_str(&format!("{indent}}}"));
        out
    }

    /// `pub ` if any member is, else `pub(crate) `: members lie in other modules.
    fn visibility(&self) -> &'static str {
        let public = self.defs.iter().any(|&d| self.program.item(d).vis == Visibility::Public);
        let modules = self.defs.iter().map(|&d| self.program.def(d).module);
        match (public, modules.clone().all(|m| Some(m) == modules.clone().next())) {
            (true, _) => "pub ",
            (false, true) => "",
            (false, false) => "pub(crate) ",
        }
    }

    /// The attributes of a struct, documentation aside, as written.
    fn attributes(&self, def: DefId) -> Vec<String> {
        let item = self.program.item(def);
        let text = self.cx.slice(self.program.def(def).file, item.attrs_span);
        let lines = text.lines().map(str::trim).filter(|l| !l.starts_with("//") && !l.is_empty());
        lines.map(str::to_owned).collect()
    }

    /// `pub type Name = Generic<A>;` under the struct's own documentation.
    pub(super) fn alias(&self, i: usize, generic: &str) -> Step<String> {
        let def = self.defs[i];
        let item = self.program.item(def);
        let file = self.program.def(def).file;
        let indent = self.indent(file, item.span.lo);
        let head = self.cx.slice(file, Span::new(item.attrs_span.hi.max(item.span.lo), item.name_span.lo));
        let Some(vis) = head.trim().strip_suffix("struct") else {
            return blocked("a copy is declared in a way that is not understood", self.place(i));
        };
        let docs = self.cx.slice(file, item.attrs_span);
        let mut out = String::new();
        for line in docs.lines().map(str::trim).filter(|l| l.starts_with("//")) {
            out.push_str(&format!("{line}\n{indent}"));
        }
        let fillings: Vec<&str> = self.order.iter().map(|n| self.params[n].fillings[i].as_str()).collect();
        out.push_str(&format!("{vis}type {} = {generic}<{}>;", item.name, fillings.join(", ")));
        Ok(out)
    }

    /// Takes the moved methods out of the members' impls; an impl left empty goes whole.
    pub(super) fn without_moved(&self, moved: &[Moved], edits: &mut Vec<Edit>) {
        let mut by_impl: BTreeMap<DefId, Vec<DefId>> = BTreeMap::new();
        for function in moved.iter().flat_map(|m| m.functions.iter().copied()) {
            if let Some(parent) = self.program.def(function).parent {
                by_impl.entry(parent).or_default().push(function);
            }
        }
        let mut gone: BTreeMap<FileId, Vec<Span>> = BTreeMap::new();
        for (parent, functions) in by_impl {
            let file = self.program.def(parent).file;
            let text = self.cx.text(file);
            let items = &self.program.file(file).items;
            let at = self.program.def(parent).item;
            let all = items.iter().filter(|item| item.parent == Some(at)).count();
            let spans = gone.entry(file).or_default();
            if all == functions.len() {
                spans.push(item_removal(text, self.program.item(parent).span));
                continue;
            }
            for function in functions {
                let span = self.program.item(function).span;
                let span = Span::new(super::super::text::before_comments(text, span.lo), span.hi);
                spans.push(item_removal(text, span));
            }
        }
        for (file, spans) in gone {
            let text = self.cx.text(file);
            let whole = joined(spans).into_iter().map(|span| at_block_begin(text, span));
            edits.extend(whole.map(|span| self.cx.edit(file, span, "")));
        }
    }

    /// Renames fields wherever else they are named, and says what has to be seen from there.
    fn elsewhere(&self, moved: &[Moved], edits: &mut Vec<Edit>) -> Step<Opened> {
        let mut opened = Opened::default();
        let home = self.program.def(self.model_def()).module;
        for index in 0..self.program.bodies.len() {
            let body = BodyIx(index as u32);
            let info = self.program.body_info(body);
            if moved.iter().any(|m| m.functions.contains(&info.owner)) {
                continue;
            }
            let inside = self.inside(self.program.def(info.owner).module, home);
            for mention in self.field_names(body)? {
                let Some(new) = self.new_field(mention.member, mention.name) else { continue };
                let old = mention.name.as_str();
                if new != old {
                    let text = if mention.shorthand { format!("{new}: {old}") } else { new.to_owned() };
                    let span = Span::new(mention.span.lo, mention.span.lo + old.len() as u32);
                    edits.push(self.cx.edit(info.file, span, text));
                }
                let at = self
                    .fields
                    .iter()
                    .position(|f| f.names.get(mention.member) == Some(&mention.name))
                    .and_then(|k| self.cluster.fields[k].field[self.model]);
                opened.fields.extend(at.filter(|_| !inside));
            }
            if let Some(types) = self.cx.analysis.types.get(index) {
                for callee in types.calls.values() {
                    let Callee::Fn(def) = callee else { continue };
                    let at = moved.iter().position(|m| m.functions.contains(def));
                    opened.methods.extend(at.filter(|_| !inside));
                }
            }
        }
        for (i, &def) in self.defs.iter().enumerate() {
            let impls = self.program.decls.impls_by_head.get(&uncork_lints::link::HeadKey::Adt(def));
            for impl_ in impls.into_iter().flatten() {
                let ItemKind::Impl(item) = &self.program.item(*impl_).kind else { continue };
                let Some(path) = &item.trait_path else { continue };
                if path.segments.last().is_some_and(|s| s.name.as_str() == "Drop") {
                    return blocked("a copy is dropped in a way of its own", self.place(i));
                }
            }
        }
        Ok(opened)
    }

    fn inside(&self, module: ModIx, home: ModIx) -> bool {
        let mut here = Some(module);
        while let Some(at) = here {
            if at == home {
                return true;
            }
            here = self.program.module(at).parent;
        }
        false
    }

    /// Imports that nothing needs any more, and that of the generic type.
    fn imports(&self, name: &str, edits: &mut Vec<Edit>) -> Step {
        let home = self.program.def(self.model_def()).module;
        let mut files: Vec<(FileId, usize)> =
            self.defs.iter().enumerate().map(|(i, &d)| (self.program.def(d).file, i)).collect();
        files.sort();
        files.dedup_by_key(|(file, _)| *file);
        let mut path = None;
        for (file, i) in files {
            let mut gone: Vec<Edit> = unused(self.cx, file, edits, &|_| true)
                .into_iter()
                .map(|span| self.cx.edit(file, span, ""))
                .collect();
            let foreign = self.defs.iter().any(|&d| {
                let def = self.program.def(d);
                def.file == file && def.module != home
            });
            if foreign {
                let path = match &path {
                    Some(path) => path,
                    None => path.insert(self.path_of(home, name)?),
                };
                let scope = self.program.item(self.defs[i]).scope;
                let wanted = format!("use {path};");
                let items = &self.program.file(file).items;
                let uses: Vec<Span> = items
                    .iter()
                    .filter(|item| {
                        item.scope == scope && matches!(item.kind, ItemKind::Use(_)) && !item.attrs.cfg_other
                    })
                    .map(|item| item.span)
                    .collect();
                let kept =
                    uses.iter().rev().find(|u| !gone.iter().any(|g| g.span.lo <= u.lo && u.hi <= g.span.hi));
                match (
                    kept,
                    gone.iter_mut().find(|g| uses.iter().any(|u| g.span.lo <= u.lo && u.hi <= g.span.hi)),
                ) {
                    (Some(after), _) => {
                        edits.push(self.cx.edit(file, Span::new(after.hi, after.hi), format!("\n{wanted}")));
                    }
                    (None, Some(removal)) => removal.replacement = format!("{wanted}\n"),
                    (None, None) => {
                        return blocked("a copy's file has no imports to add one to", self.place(i));
                    }
                }
                // Several members of one file in different modules would each need it.
                let modules = self.defs.iter().filter(|&&d| self.program.def(d).file == file);
                if modules.clone().any(|&d| self.program.item(d).scope != scope) {
                    return blocked("copies lie in several modules of one file", self.place(i));
                }
            }
            edits.extend(gone);
        }
        Ok(())
    }

    /// `crate::a::b::Name`, if every member can see it.
    fn path_of(&self, home: ModIx, name: &str) -> Step<String> {
        let mut segments = vec![name.to_owned()];
        let mut here = home;
        while let Some(parent) = self.program.module(here).parent {
            let module = self.program.module(here);
            let Some(own) = module.name else { return blocked("a copy is declared inside a function", None) };
            segments.push(own.to_string());
            let file = self.program.module(parent).file;
            let scope = self.program.module(parent).scope;
            let declared = self.program.file(file).items.iter().find(|item| {
                item.name == own && item.scope == scope && matches!(item.kind, ItemKind::Mod { .. })
            });
            let open = declared.is_some_and(|item| item.vis != Visibility::Private);
            if !open && !self.defs.iter().all(|&d| self.inside(self.program.def(d).module, parent)) {
                return blocked("a copy cannot see the module of another", self.place(self.model));
            }
            here = parent;
        }
        segments.push("crate".to_owned());
        segments.reverse();
        Ok(segments.join("::"))
    }
}

/// A text with parts replaced; places are those of the whole file.
fn rewritten(text: &str, span: Span, mut replacements: Vec<(Span, String)>) -> String {
    replacements.sort_by_key(|(s, _)| (s.lo, s.hi));
    replacements.dedup();
    let mut out = String::new();
    let mut at = span.lo;
    for (replaced, new) in replacements {
        if replaced.lo < at || replaced.hi > span.hi {
            continue;
        }
        out.push_str(text.get(at as usize..replaced.lo as usize).unwrap_or(""));
        out.push_str(&new);
        at = replaced.hi;
    }
    out.push_str(text.get(at as usize..span.hi as usize).unwrap_or(""));
    out
}

/// An item's whole lines, with one of the blank lines around it.
fn item_removal(text: &str, span: Span) -> Span {
    let Some(lines) = whole_lines(text, span) else { return span };
    let before = text.get(..lines.lo as usize).unwrap_or("");
    let above = before.strip_suffix('\n').map_or("", |b| b.rsplit('\n').next().unwrap_or(""));
    if lines.lo > 0 && above.trim().is_empty() {
        let blank = above.len() as u32 + 1;
        return Span::new(lines.lo - blank, lines.hi);
    }
    let after = text.get(lines.hi as usize..).unwrap_or("");
    let below = after.lines().next().unwrap_or("x");
    if below.trim().is_empty() && !after.is_empty() {
        return Span::new(lines.lo, lines.hi + below.len() as u32 + 1);
    }
    lines
}

/// Where nothing is left above in its block, the blank line below goes too.
fn at_block_begin(text: &str, span: Span) -> Span {
    let before = text.get(..span.lo as usize).unwrap_or("");
    let after = text.get(span.hi as usize..).unwrap_or("");
    match after.split_once('\n') {
        Some((blank, _)) if blank.trim().is_empty() && before.trim_end().ends_with('{') => {
            Span::new(span.lo, span.hi + blank.len() as u32 + 1)
        }
        _ => span,
    }
}
