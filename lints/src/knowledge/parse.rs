//! Reads knowledge files.

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::template::{Parser, Shorts};
use super::{
    Acquire, Blocking, CloneCost, ClosureUse, Container, FnInfo, Knowledge, LockKind, Op, Tags, TypeInfo,
};
use crate::name::Name;
use crate::ty::{Ty, TyKind};

/// What is wrong in a knowledge file: one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct KnowledgeError {
    /// The file, or the place in the configuration.
    pub file: String,
    /// What is wrong.
    pub message: String,
}

/// A knowledge file. Users' configuration has the same keys under `[knowledge]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KnowledgeFile {
    /// Types and traits by `path<Params>`.
    #[serde(default, rename = "type")]
    types: FxHashMap<String, TypeEntry>,
    /// Free functions: `path(params) -> result : tags`.
    #[serde(default)]
    functions: Vec<String>,
    /// Other public path = canonical path.
    #[serde(default)]
    alias: FxHashMap<String, String>,
    /// `path<T>` = type.
    #[serde(default)]
    type_alias: FxHashMap<String, String>,
    /// Path prefix = tags of all functions below it that are not listed.
    #[serde(default)]
    prefix: FxHashMap<String, String>,
    /// Prefixes of paths of what waits for I/O or without bound where it is awaited, methods of types included.
    #[serde(default)]
    waits: Vec<String>,
    /// Macro name = tags.
    #[serde(default, rename = "macro")]
    macros: FxHashMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TypeEntry {
    lock: Option<String>,
    guarded: Option<String>,
    #[serde(default)]
    poisons: bool,
    #[serde(default, rename = "async")]
    is_async: bool,
    #[serde(default)]
    guard: bool,
    deref: Option<String>,
    awaits: Option<String>,
    clone: Option<String>,
    container: Option<String>,
    item: Option<String>,
    item_ref: Option<String>,
    #[serde(default)]
    io_object: bool,
    #[serde(default)]
    in_memory: bool,
    #[serde(default)]
    condvar: bool,
    #[serde(default)]
    bounded: bool,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    concurrent_map: bool,
    #[serde(default, rename = "trait")]
    is_trait: bool,
    #[serde(default)]
    traits: Vec<String>,
    /// Another type whose methods this one has as well, parameters matched by name.
    #[serde(rename = "like")]
    like: Option<String>,
    #[serde(default)]
    methods: Vec<String>,
}

/// Adds files to what is known. The first mistake ends it.
pub(super) fn load(knowledge: &mut Knowledge, files: &[(&str, &str)]) -> Result<(), KnowledgeError> {
    let mut parsed = Vec::new();
    for (name, text) in files {
        let file: KnowledgeFile = toml::from_str(text).map_err(|e| KnowledgeError {
            file: (*name).to_owned(),
            message: e.to_string().replace('\n', " "),
        })?;
        parsed.push((*name, file));
    }
    extend(knowledge, &parsed)
}

/// Adds parsed files.
pub(super) fn extend(
    knowledge: &mut Knowledge,
    files: &[(&str, KnowledgeFile)],
) -> Result<(), KnowledgeError> {
    let mut shorts: Shorts = FxHashMap::default();
    for &path in knowledge.types.keys() {
        add_short(&mut shorts, path);
    }
    // Files come in order of precedence for short names: std first.
    for (name, file) in files {
        for heading in file.types.keys() {
            let (path, _) = Parser::new(heading, Vec::new(), &FxHashMap::default())
                .heading()
                .map_err(|message| KnowledgeError { file: (*name).to_owned(), message })?;
            add_short(&mut shorts, Name::new(&path));
        }
    }
    for (name, file) in files {
        add_file(knowledge, file, &shorts)
            .map_err(|message| KnowledgeError { file: (*name).to_owned(), message })?;
    }
    let like: Vec<(Name, Name)> = files
        .iter()
        .flat_map(|(_, f)| &f.types)
        .filter_map(|(heading, entry)| {
            let path = heading.split('<').next()?;
            Some((Name::new(path), Name::new(entry.like.as_deref()?)))
        })
        .collect();
    for (path, like) in like {
        let Some(source) = knowledge.types.get(&like).cloned() else { continue };
        if let Some(target) = knowledge.types.get_mut(&path) {
            for (name, method) in source.methods {
                target.methods.entry(name).or_insert(method);
            }
            target.deref = target.deref.or(source.deref);
            target.item = target.item.or(source.item);
            target.item_ref = target.item_ref.or(source.item_ref);
            target.container = target.container.or(source.container);
            target.lock = target.lock.or(source.lock);
            target.guarded = target.guarded.or(source.guarded);
            if target.clone == CloneCost::Unknown {
                target.clone = source.clone;
            }
        }
    }
    index_modules(knowledge);
    Ok(())
}

fn add_short(shorts: &mut Shorts, path: Name) {
    let short = path.as_str().rsplit("::").next().unwrap_or_default();
    let slot = shorts.entry(Name::new(short)).or_insert(path);
    // The order of a table is not kept: std wins, then the shorter path, then the alphabet.
    let rank = |p: Name| (!p.as_str().starts_with("std::"), p.as_str().len(), p.as_str());
    if rank(path) < rank(*slot) {
        *slot = path;
    }
}

fn add_file(knowledge: &mut Knowledge, file: &KnowledgeFile, shorts: &Shorts) -> Result<(), String> {
    for (heading, entry) in &file.types {
        let (path, params) = Parser::new(heading, Vec::new(), shorts).heading()?;
        let info = type_info(entry, params, &path, shorts)?;
        add_crate(knowledge, &path);
        knowledge.types.insert(Name::new(&path), info);
    }
    for text in &file.functions {
        let (name, info) = function(text, Vec::new(), shorts)?;
        add_crate(knowledge, &name);
        knowledge.functions.insert(Name::new(&name), info);
    }
    for (from, to) in &file.alias {
        knowledge.aliases.insert(Name::new(from), Name::new(to));
        add_crate(knowledge, from);
    }
    for (heading, target) in &file.type_alias {
        let (path, params) = Parser::new(heading, Vec::new(), shorts).heading()?;
        let mut parser = Parser::new(target, params.clone(), shorts);
        let ty = parser.ty()?;
        parser.end()?;
        knowledge.type_aliases.insert(Name::new(&path), (params, ty));
    }
    for (prefix, words) in &file.prefix {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        knowledge.prefixes.push((prefix.clone(), tags(&words)?));
    }
    knowledge.prefixes.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(&b.0)));
    knowledge.waits.extend_from_slice(&file.waits);
    for (name, words) in &file.macros {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        knowledge.macros.insert(Name::new(name), tags(&words)?);
    }
    Ok(())
}

fn add_crate(knowledge: &mut Knowledge, path: &str) {
    // `str` and `bool` are in no crate.
    if let Some((krate, _)) = path.split_once("::") {
        knowledge.crates.insert(Name::new(krate));
    }
}

fn type_info(entry: &TypeEntry, params: Vec<Name>, path: &str, shorts: &Shorts) -> Result<TypeInfo, String> {
    let ty = |text: &Option<String>| -> Result<Option<Ty>, String> {
        text.as_ref()
            .map(|t| {
                let mut parser = Parser::new(t, params.clone(), shorts);
                let ty = parser.ty()?;
                parser.end().map(|()| ty)
            })
            .transpose()
    };
    let lock = match entry.lock.as_deref() {
        None => None,
        Some("mutex") => Some(LockKind::Mutex),
        Some("rwlock") => Some(LockKind::RwLock),
        Some("reentrant") => Some(LockKind::Reentrant),
        Some("semaphore") => Some(LockKind::Semaphore),
        Some(other) => return Err(format!("unknown lock `{other}` of `{path}`")),
    };
    let clone = match entry.clone.as_deref() {
        None => CloneCost::Unknown,
        Some("cheap") => CloneCost::Cheap,
        Some("deep") => CloneCost::Deep,
        Some("args") => CloneCost::Args,
        Some(other) => return Err(format!("unknown clone cost `{other}` of `{path}`")),
    };
    let container = match entry.container.as_deref() {
        None => None,
        Some("map") => Some(Container::Map),
        Some("ordered-map") => Some(Container::OrderedMap),
        Some("set") => Some(Container::Set),
        Some("ordered-set") => Some(Container::OrderedSet),
        Some("vec") => Some(Container::Vec),
        Some("deque") => Some(Container::Deque),
        Some("heap") => Some(Container::Heap),
        Some("string") => Some(Container::String),
        Some(other) => return Err(format!("unknown container `{other}` of `{path}`")),
    };
    let mut methods = FxHashMap::default();
    for text in &entry.methods {
        let (name, info) = function(text, params.clone(), shorts)?;
        for name in name.split('|') {
            methods.insert(Name::new(name), info.clone());
        }
    }
    let guarded = ty(&entry.guarded)?.or_else(|| lock.and(params.last().map(|&p| Ty::new(TyKind::Param(p)))));
    Ok(TypeInfo {
        lock,
        guarded,
        poisons: entry.poisons,
        is_async: entry.is_async,
        guard: entry.guard,
        deref: ty(&entry.deref)?,
        awaits: ty(&entry.awaits)?,
        clone,
        container,
        item: ty(&entry.item)?,
        item_ref: ty(&entry.item_ref)?,
        io_object: entry.io_object,
        in_memory: entry.in_memory,
        condvar: entry.condvar,
        bounded: entry.bounded,
        shared: entry.shared,
        concurrent_map: entry.concurrent_map,
        is_trait: entry.is_trait,
        traits: entry.traits.iter().map(|t| Name::new(t)).collect(),
        methods,
        params,
    })
}

fn function(text: &str, params: Vec<Name>, shorts: &Shorts) -> Result<(String, FnInfo), String> {
    let signature = Parser::new(text, params, shorts).signature()?;
    let info = FnInfo {
        generics: signature.generics,
        self_mode: signature.self_mode,
        params: signature.params,
        ret: signature.ret,
        tags: tags(&signature.tags).map_err(|e| format!("{e} in `{text}`"))?,
    };
    Ok((signature.name, info))
}

fn tags(words: &[String]) -> Result<Tags, String> {
    let mut tags = Tags::default();
    let acquire = |exclusive, is_try, recursive| Some(Acquire { exclusive, is_try, recursive });
    for word in words {
        match word.as_str() {
            "stdio" => tags.blocks = Some(Blocking::Stdio),
            "fs" => tags.blocks = Some(Blocking::Fs),
            "fsync" => tags.blocks = Some(Blocking::Fsync),
            "net" => tags.blocks = Some(Blocking::Net),
            "process" => tags.blocks = Some(Blocking::Process),
            "db" => tags.blocks = Some(Blocking::Db),
            "sleep" => tags.blocks = Some(Blocking::Sleep),
            "join" => tags.blocks = Some(Blocking::Join),
            "recv" => tags.blocks = Some(Blocking::Recv),
            "send" => tags.blocks = Some(Blocking::Send),
            "wait" => tags.blocks = Some(Blocking::Wait),
            "park" => tags.blocks = Some(Blocking::Park),
            "block-on" => tags.blocks = Some(Blocking::BlockOn),
            "acquire" => tags.acquire = acquire(true, false, false),
            "acquire-shared" => tags.acquire = acquire(false, false, false),
            "acquire-try" => tags.acquire = acquire(true, true, false),
            "acquire-try-shared" => tags.acquire = acquire(false, true, false),
            "acquire-recursive" => tags.acquire = acquire(false, false, true),
            "acquire-reentrant" => tags.acquire = acquire(true, false, true),
            "in-place" => tags.closure = ClosureUse::InPlace,
            "loop" => tags.closure = ClosureUse::Loop,
            "lazy" => tags.closure = ClosureUse::Lazy,
            "once" => tags.once = true,
            "spawn" => tags.closure = ClosureUse::Spawn,
            "spawn-future" => tags.spawns_future = true,
            "condvar-wait" => tags.condvar_wait = true,
            "diverges" => tags.diverges = true,
            "unlocks" => tags.unlocks = true,
            "maps-guard" => tags.maps_guard = true,
            "if-bounded" => tags.if_bounded = true,
            "waits" => tags.waits = true,
            "get" => tags.op = Some(Op::Get),
            "get-mut" => tags.op = Some(Op::GetMut),
            "insert" => tags.op = Some(Op::Insert),
            "entry" => tags.op = Some(Op::Entry),
            "remove" => tags.op = Some(Op::Remove),
            "clear" => tags.op = Some(Op::Clear),
            "len" => tags.op = Some(Op::Len),
            "contains" => tags.op = Some(Op::Contains),
            "iterate" => tags.op = Some(Op::Iterate),
            "iterate-mut" => tags.op = Some(Op::IterateMut),
            "ordered" => tags.op = Some(Op::Ordered),
            other => return Err(format!("unknown tag `{other}`")),
        }
    }
    Ok(tags)
}

/// Which names a module exports, from the paths that are known: for glob imports.
fn index_modules(knowledge: &mut Knowledge) {
    let mut modules: FxHashMap<Name, Vec<(Name, Name)>> = FxHashMap::default();
    let mut add = |path: Name, target: Name| {
        if let Some((module, last)) = path.as_str().rsplit_once("::") {
            modules.entry(Name::new(module)).or_default().push((Name::new(last), target));
        }
    };
    for &path in knowledge.types.keys().chain(knowledge.functions.keys()).chain(knowledge.type_aliases.keys())
    {
        add(path, path);
    }
    for (&from, &to) in &knowledge.aliases {
        add(from, to);
    }
    for names in modules.values_mut() {
        names.sort_by_key(|(n, _)| n.as_str());
    }
    knowledge.modules = modules;
}
