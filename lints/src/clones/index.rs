//! All functions worth comparing, fingerprinted body by body on all cores, and their terms on demand.

use std::sync::OnceLock;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::hir::{BodyId, FnItem, SelfParam};
use crate::name::Name;
use crate::program::{BodyIx, DefId, DefKind, Program};
use crate::source::{FileId, Location, Sources, Span};
use crate::ty::TraitRef;

use super::alternatives::Alternatives;
use super::build::Builder;
use super::hash::{Fingerprint, Fingerprinter};
use super::term::Term;

/// A function with a body, outside tests, generated code and macros.
#[derive(Clone, Debug)]
pub struct Function {
    /// What it is.
    pub def: DefId,
    /// Its file.
    pub file: FileId,
    /// Its body there.
    pub body: BodyId,
    /// The impl or trait it stands in.
    pub parent: Option<DefId>,
    /// Functions of different form are never copies.
    pub form: Form,
    /// Whether a trait from outside the workspace dictates it.
    pub dictated: bool,
    /// Whether other builds have something else in its place.
    pub alternative: bool,
    /// What it is found by.
    pub print: Fingerprint,
}

/// The form of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// 0: no `self`, 1: by value, 2: `&self`, 3: `&mut self`, 4: typed.
    pub receiver: u8,
    /// Parameters besides `self`.
    pub params: u8,
    /// `async fn`
    pub is_async: bool,
    /// Whether it returns something.
    pub returns: bool,
}

/// The functions of a program.
#[derive(Debug, Default)]
pub struct Index {
    /// By file and place.
    pub functions: Vec<Function>,
    /// What stands under a `cfg` that excludes other code.
    pub alternatives: Alternatives,
    /// Index of a definition's function.
    pub by_def: FxHashMap<DefId, u32>,
}

/// Fingerprints bodies; keeps its buffers between them.
#[derive(Default)]
pub(crate) struct Printer {
    term: Term,
    printer: Fingerprinter,
}

impl Printer {
    /// The fingerprint of a body; `None` if it is not to be compared with others. O(nodes).
    pub(crate) fn print(&mut self, program: &Program, sources: &Sources, ix: BodyIx) -> Option<Fingerprint> {
        let info = program.body_info(ix);
        let def = program.def(info.owner);
        let file = program.file(info.file);
        let compared = def.kind == DefKind::Fn
            && !def.in_test
            && !file.generated
            && !program.item(info.owner).from_macro;
        let item = program.fn_item(info.owner).filter(|_| compared)?;
        let text = &sources.get(info.file).text;
        let mut builder = Builder::reusing(file, text, std::mem::take(&mut self.term));
        let print = self.printer.fingerprint(builder.function(item, info.body));
        self.term = builder.into_term();
        Some(print)
    }
}

/// The fingerprints of all bodies that are to be compared, in order of bodies, in parallel.
pub fn prints(program: &Program, sources: &Sources) -> Vec<Option<Fingerprint>> {
    (0..program.bodies.len() as u32)
        .into_par_iter()
        .map_init(Printer::default, |printer, ix| printer.print(program, sources, BodyIx(ix)))
        .collect()
}

impl Index {
    /// Puts together what the [`prints`] belong to. O(functions), files in parallel.
    pub fn build(program: &Program, sources: &Sources, prints: Vec<Option<Fingerprint>>) -> Index {
        let mut by_file: Vec<Vec<(BodyId, DefId, Fingerprint)>> = Vec::new();
        by_file.resize_with(program.files.len(), Vec::new);
        for (info, print) in program.bodies.iter().zip(prints) {
            if let Some(print) = print {
                by_file[info.file.0 as usize].push((info.body, info.owner, print));
            }
        }
        let alternatives = Alternatives::find(program, sources);
        let functions: Vec<Function> = by_file
            .into_par_iter()
            .enumerate()
            .filter(|(_, bodies)| !bodies.is_empty())
            .flat_map_iter(|(file, mut bodies)| {
                let file = FileId(file as u32);
                bodies.sort_unstable_by_key(|&(body, def, _)| (body, def));
                // A file that two targets share is read once.
                bodies.dedup_by_key(|(body, ..)| *body);
                let made: Vec<Function> = bodies
                    .into_iter()
                    .filter_map(|(body, def, print)| {
                        let form = form(program.fn_item(def)?);
                        let parent = program.def(def).parent;
                        let dictated = parent
                            .and_then(|p| program.decls.impl_trait.get(&p))
                            .is_some_and(|t| matches!(t.trait_, TraitRef::Ext(_)));
                        let alternative = alternatives.contains(program, sources, def);
                        Some(Function { def, file, body, parent, form, dictated, alternative, print })
                    })
                    .collect();
                made
            })
            .collect();
        let by_def = functions.iter().enumerate().map(|(i, f)| (f.def, i as u32)).collect();
        Index { functions, alternatives, by_def }
    }

    /// The function of a definition.
    pub fn get(&self, def: DefId) -> Option<(u32, &Function)> {
        let index = *self.by_def.get(&def)?;
        Some((index, self.functions.get(index as usize)?))
    }
}

fn form(function: &FnItem) -> Form {
    let receiver = match &function.self_param {
        None => 0,
        Some(SelfParam::Value) => 1,
        Some(SelfParam::Ref) => 2,
        Some(SelfParam::RefMut) => 3,
        Some(SelfParam::Typed(_)) => 4,
    };
    Form {
        receiver,
        params: function.params.len().min(255) as u8,
        is_async: function.is_async,
        returns: function.ret.is_some(),
    }
}

/// Terms of functions, built when first asked for.
pub struct Terms<'a> {
    program: &'a Program,
    sources: &'a Sources,
    index: &'a Index,
    /// By function.
    built: Vec<OnceLock<Term>>,
}

impl<'a> Terms<'a> {
    /// None built yet.
    pub fn new(program: &'a Program, sources: &'a Sources, index: &'a Index) -> Terms<'a> {
        let built = index.functions.iter().map(|_| OnceLock::new()).collect();
        Terms { program, sources, index, built }
    }

    /// The term of a function of the index.
    pub fn get(&self, function: u32) -> &Term {
        self.built[function as usize].get_or_init(|| {
            let f = &self.index.functions[function as usize];
            let mut builder = Builder::new(self.program.file(f.file), &self.sources.get(f.file).text);
            match self.program.fn_item(f.def) {
                Some(item) => builder.function(item, f.body).clone(),
                None => Term::default(),
            }
        })
    }

    /// A function's name.
    pub fn name(&self, function: u32) -> Name {
        self.program.def(self.index.functions[function as usize].def).name
    }

    /// A file's text.
    pub fn source(&self, file: FileId) -> &'a str {
        &self.sources.get(file).text
    }

    /// The whole item of a function.
    pub fn item_location(&self, function: u32) -> Location {
        let f = &self.index.functions[function as usize];
        Location { file: f.file, span: self.program.item(f.def).span }
    }

    /// How many lines a span touches.
    pub fn lines(&self, at: Location) -> u32 {
        let file = self.sources.get(at.file);
        let last = at.span.hi.saturating_sub(1).max(at.span.lo);
        file.line_column(last).line - file.line_column(at.span.lo).line + 1
    }

    /// The text of a span with runs of white space made one.
    pub fn text(&self, file: FileId, span: Span) -> String {
        let text = self.sources.get(file).slice(span);
        let mut out = String::with_capacity(text.len());
        for word in text.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        out
    }
}
