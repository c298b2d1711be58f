//! Laws of clone detection: what must not matter does not, what must does.

mod common;

use proptest::prelude::*;
use uncork_lints::clones::{self, Clones, HoleKind};
use uncork_lints::program::Program;

fn analyze(text: &str) -> (Program, Clones) {
    let (sources, program) = common::linked(text);
    let clones = clones::analyze(&program, &sources);
    (program, clones)
}

const PRELUDE: &str = "
use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub struct Config { most: usize }
";

/// The names of one member.
#[derive(Clone, Debug)]
struct Names {
    ty: String,
    entry: String,
    store: String,
    config: String,
    running: String,
    count: String,
    local: String,
    methods: [String; 5],
}

impl Names {
    fn numbered(n: usize) -> Names {
        Names {
            ty: format!("Manager{n}"),
            entry: format!("Entry{n}"),
            store: format!("store_{n}"),
            config: format!("config_{n}"),
            running: format!("running_{n}"),
            count: format!("count_{n}"),
            local: format!("guard_{n}"),
            methods: ["start", "fetch", "put", "drop_one", "all"].map(|m| format!("{m}_{n}")),
        }
    }

    /// The member's source, its fields in the order given.
    fn source(&self, order: &[usize]) -> String {
        let Names { ty, entry, store, config, running, count, local, methods } = self;
        let [start, fetch, put, remove, all] = methods;
        let fields = [
            (
                format!("{store}: RwLock<HashMap<u64, {entry}>>"),
                format!("{store}: RwLock::new(HashMap::new())"),
            ),
            (format!("{config}: Config"), config.clone()),
            (format!("{running}: AtomicBool"), format!("{running}: AtomicBool::new(false)")),
            (format!("{count}: AtomicU64"), format!("{count}: AtomicU64::new(0)")),
        ];
        let decls: Vec<_> = order.iter().map(|&i| fields[i].0.clone()).collect();
        let inits: Vec<_> = order.iter().map(|&i| fields[i].1.clone()).collect();
        format!(
            "#[derive(Clone)] pub struct {entry} {{ n: u8 }}
pub struct {ty} {{ {} }}
impl {ty} {{
    pub fn new({config}: Config) -> Self {{ Self {{ {} }} }}
    pub fn {start}(&self) -> bool {{
        let {local} = self.{running}.swap(true, Ordering::SeqCst);
        !{local}
    }}
    pub fn {fetch}(&self, id: u64) -> Option<{entry}> {{
        let {local} = self.{store}.read().unwrap();
        {local}.get(&id).cloned()
    }}
    pub fn {put}(&self, id: u64, value: {entry}) -> bool {{
        let mut {local} = self.{store}.write().unwrap();
        if {local}.len() >= self.{config}.most {{
            return false;
        }}
        self.{count}.fetch_add(1, Ordering::Relaxed);
        {local}.insert(id, value);
        true
    }}
    pub fn {remove}(&self, id: u64) -> bool {{
        let mut {local} = self.{store}.write().unwrap();
        {local}.remove(&id).is_some()
    }}
    pub fn {all}(&self) -> Vec<{entry}> {{
        self.{store}.read().unwrap().values().cloned().collect()
    }}
}}
",
            decls.join(", "),
            inits.join(", "),
        )
    }
}

fn members(sources: &[String]) -> (Program, Clones) {
    analyze(&format!("{PRELUDE}{}", sources.concat()))
}

fn identifier() -> impl Strategy<Value = String> {
    "[a-z]{3,8}".prop_map(|word| format!("{word}_x"))
}

prop_compose! {
    fn names(n: usize)(words in proptest::collection::hash_set(identifier(), 10)) -> Names {
        let words: Vec<String> = words.into_iter().collect();
        let [store, config, running, count, local, a, b, c, d, e] =
            <[String; 10]>::try_from(words).expect("ten words");
        Names {
            ty: format!("T{n}{}", store.to_uppercase()),
            entry: format!("E{n}{}", config.to_uppercase()),
            store, config, running, count, local,
            methods: [a, b, c, d, e],
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_names_and_any_order_of_fields_make_one_cluster(
        a in names(1), b in names(2), c in names(3),
        order in Just(vec![0usize, 1, 2, 3]).prop_shuffle(),
    ) {
        let (program, clones) =
            members(&[a.source(&[0, 1, 2, 3]), b.source(&order), c.source(&[3, 2, 1, 0])]);
        prop_assert_eq!(clones.managers.len(), 1);
        let cluster = &clones.managers[0];
        let found: Vec<&str> = cluster.members.iter().map(|m| program.def(m.def).name.as_str()).collect();
        prop_assert_eq!(found, [a.ty.as_str(), &b.ty, &c.ty]);
        prop_assert_eq!(cluster.methods.len(), 6);
        prop_assert!(cluster.fits_one_type());
        prop_assert!(cluster.similarity > 0.999);
        // Fields correspond by what they are, whatever their order.
        for field in &cluster.fields {
            let [Some(x), Some(y), Some(z)] = field.field[..] else { panic!("a field without counterpart") };
            prop_assert_eq!(order[y], x);
            prop_assert_eq!(3 - z, x);
        }
        // All that differs is the entry's type.
        let kinds: Vec<HoleKind> = cluster.params.iter().map(|p| p.kind).collect();
        prop_assert_eq!(kinds, [HoleKind::Type]);
        prop_assert_eq!(&cluster.params[0].texts, &[a.entry, b.entry, c.entry]);
    }

    #[test]
    fn another_code_in_one_member_breaks_the_cluster(which in 0usize..3) {
        let mut sources: Vec<String> = (0..3).map(|n| Names::numbered(n).source(&[0, 1, 2, 3])).collect();
        let n = Names::numbered(which);
        let (start, end) = (sources[which].find("pub fn start").unwrap(), sources[which].rfind('}').unwrap());
        let other = format!(
            "pub fn oldest(&self) -> Option<u64> {{ self.{0}.read().unwrap().keys().min().copied() }}
             pub fn prune(&self, least: u8) -> usize {{
                 let mut kept = 0;
                 for value in self.{0}.write().unwrap().values_mut() {{
                     if value.n < least {{ value.n = least; }} else {{ kept += 1; }}
                 }}
                 kept
             }}
             pub fn halt(&self) {{
                 while self.{1}.load(Ordering::SeqCst) {{ std::hint::spin_loop(); }}
             }}
        ", n.store, n.running);
        sources[which].replace_range(start..end, &other);
        let (_, clones) = members(&sources);
        prop_assert!(clones.managers.is_empty());
    }
}

#[test]
fn holes_point_at_what_differs() {
    let sources: Vec<String> = (0..3).map(|n| Names::numbered(n).source(&[0, 1, 2, 3])).collect();
    let text = format!("{PRELUDE}{}", sources.concat()).replace("Manager2", "Last");
    let text = text.replacen("return false", "return !true", 1);
    let (program, clones) = analyze(&text);
    let cluster = &clones.managers[0];
    let put = cluster
        .methods
        .iter()
        .find(|m| program.def(m.functions[0]).name.as_str() == "put_0")
        .expect("`put` corresponds");
    // The entry's type in the signature, and the changed expression.
    let [entry, hole] = &put.holes[..] else { panic!("two holes, not {:?}", put.holes) };
    assert_eq!((entry.kind, hole.kind), (HoleKind::Type, HoleKind::Expr));
    let filled: Vec<&str> =
        hole.at.iter().map(|s| &text[s.unwrap().lo as usize..s.unwrap().hi as usize]).collect();
    assert_eq!(filled, ["!true", "false", "false"]);
}

#[test]
fn ten_copies_are_one_cluster_and_say_what_would_go() {
    let sources: Vec<String> = (0..10).map(|n| Names::numbered(n).source(&[0, 1, 2, 3])).collect();
    let (_, clones) = members(&sources);
    assert_eq!(clones.managers.len(), 1);
    let cluster = &clones.managers[0];
    assert_eq!(cluster.members.len(), 10);
    // The struct and its six functions, 1 + 1 + 4 + 4 + 9 + 4 + 3 lines, nine times.
    assert_eq!(cluster.lines, 9 * 26);
    assert!(
        clones.methods.is_empty() && clones.handlers.is_empty(),
        "what a manager has is not reported again"
    );
}

#[test]
fn methods_are_copies_up_to_renaming_only() {
    let source = |ty: &str, field: &str, limit: u32| {
        format!(
            "pub struct {ty} {{ {field}: u32 }}
impl {ty} {{
    pub fn health(&self) -> Result<u32, String> {{
        if self.{field} == 0 {{
            return Err(\"empty\".to_owned());
        }}
        let load = self.{field} * 100;
        if load > {limit} {{
            return Err(format!(\"load {{load}}\"));
        }}
        Ok(load)
    }}
}}
"
        )
    };
    let same = [source("A", "a", 90), source("B", "b", 90), source("C", "c", 90)].concat();
    assert_eq!(analyze(&same).1.methods.len(), 1);
    // Literals must be equal.
    let other = [source("A", "a", 90), source("B", "b", 90), source("C", "c", 91)].concat();
    assert!(analyze(&other).1.methods.is_empty());
}

#[test]
fn handlers_may_differ_in_a_few_holes() {
    let source = |name: &str, right: &str, message: &str| {
        format!(
            "pub fn {name}(state: &State, request: &Request) -> Result<String, String> {{
    if request.name.is_empty() {{
        return Err(\"{message}\".to_owned());
    }}
    let caller = state.caller(request)?;
    if !caller.may(Right::{right}) {{
        return Err(\"forbidden\".to_owned());
    }}
    let made = state.{name}(request)?;
    Ok(format!(\"made {{made}}\"))
}}
"
        )
    };
    let all = [source("a", "A", "no a"), source("b", "B", "no b"), source("c", "C", "no c")].concat();
    let (_, clones) = analyze(&all);
    assert_eq!(clones.handlers.len(), 1);
    let cluster = &clones.handlers[0];
    assert_eq!(cluster.members.len(), 3);
    let mut texts: Vec<Vec<String>> = cluster.params.iter().map(|p| p.texts.clone()).collect();
    texts.sort();
    assert_eq!(texts, [["\"no a\"", "\"no b\"", "\"no c\""], ["A", "B", "C"], ["a", "b", "c"]]);
}

#[test]
fn fields_of_one_type_are_holes() {
    let source = |name: &str| {
        format!(
            "    pub fn total_{name}(&self, from: usize) -> u64 {{
        let part = self.{name}.get(from..).unwrap_or(&[]);
        let sum = part.iter().copied().sum::<u64>();
        let most = part.iter().copied().max().unwrap_or(0);
        sum.saturating_sub(most)
    }}
"
        )
    };
    let text = format!(
        "pub struct S {{ a: Vec<u64>, b: Vec<u64>, c: Vec<u64> }}\nimpl S {{\n{}{}{}}}\n",
        source("a"),
        source("b"),
        source("c")
    );
    let (_, clones) = analyze(&text);
    assert_eq!(clones.handlers.len(), 1);
    let params = &clones.handlers[0].params;
    assert_eq!(params.len(), 1);
    assert_eq!(
        (params[0].kind, &params[0].texts[..]),
        (HoleKind::Ident, &["a", "b", "c"].map(String::from)[..])
    );
}
