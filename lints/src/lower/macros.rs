//! Macro invocations in expression position: which grammar their arguments have, and the arguments lowered.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Stmt};

use super::cx::Lower;
use super::json;
use super::macro_args::{self as grammar, Arg, Branch, Dress, Matches};
use crate::hir::{BlockKind, ExprId, ExprKind, LocalId, MacroCall, MacroKind, PatId, Path};
use crate::name::Name;
use crate::source::Span;

/// What a macro's name says of its grammar.
enum Shape {
    /// Format string at this index; the kind.
    Format(usize, MacroKind),
    Log,
    Matches(MacroKind),
    Vec,
    Select,
    /// Plain arguments of a known kind.
    Args(MacroKind),
    CfgIf,
    /// Objects and arrays of expressions, which are borrowed.
    Json,
    /// Tokens that are no Rust expressions of this place.
    Opaque,
    Guess,
}

fn shape(name: &str) -> Shape {
    match name {
        "format" | "print" | "println" | "eprint" | "eprintln" | "format_args" | "anyhow" | "eyre"
        | "format_err" => Shape::Format(0, MacroKind::Format),
        "write" | "writeln" => Shape::Format(1, MacroKind::Format),
        "panic" | "todo" | "unimplemented" | "unreachable" | "bail" => Shape::Format(0, MacroKind::Diverge),
        "assert" | "debug_assert" | "ensure" => Shape::Format(1, MacroKind::Assert),
        "assert_eq" | "assert_ne" | "debug_assert_eq" | "debug_assert_ne" => {
            Shape::Format(2, MacroKind::Assert)
        }
        "assert_matches" | "debug_assert_matches" => Shape::Matches(MacroKind::Assert),
        "trace" | "debug" | "info" | "warn" | "error" | "log" | "event" | "span" | "trace_span"
        | "debug_span" | "info_span" | "warn_span" | "error_span" => Shape::Log,
        "matches" => Shape::Matches(MacroKind::Matches),
        "vec" => Shape::Vec,
        "dbg" => Shape::Args(MacroKind::Dbg),
        "select" | "select_biased" => Shape::Select,
        "join" | "try_join" => Shape::Args(MacroKind::Join),
        "addr_of"
        | "addr_of_mut"
        | "pin"
        | "pin_mut"
        | "ready"
        | "try"
        | "concat"
        | "env"
        | "option_env"
        | "include_str"
        | "include_bytes"
        | "include"
        | "line"
        | "column"
        | "file"
        | "module_path"
        | "offset_of"
        | "is_x86_feature_detected" => Shape::Args(MacroKind::Known),
        "cfg_if" => Shape::CfgIf,
        "json" => Shape::Json,
        "quote"
        | "quote_spanned"
        | "parse_quote"
        | "parse_quote_spanned"
        | "stringify"
        | "asm"
        | "global_asm"
        | "naked_asm"
        | "cfg"
        | "compile_error"
        | "html"
        | "rsx"
        | "view" => Shape::Opaque,
        _ => Shape::Guess,
    }
}

/// What was understood of the arguments.
struct Understood {
    kind: MacroKind,
    args: Vec<ExprId>,
    pats: Vec<PatId>,
    format: Option<Box<str>>,
}

impl Understood {
    fn of(kind: MacroKind, args: Vec<ExprId>) -> Understood {
        Understood { kind, args, pats: Vec::new(), format: None }
    }
}

/// Arguments as parsed.
enum Parsed {
    Args(Vec<Arg>),
    Vec(Vec<Expr>, bool),
    Matches(Box<Matches>),
    Select(Vec<Branch>),
    /// The macro's own grammar, if it is known, did not fit; these are expressions all the same.
    GuessArgs(Vec<Arg>),
    GuessStmts(Vec<Stmt>),
    Nothing,
}

/// Parses arguments by the grammar of the name, else as expressions, else as statements.
fn parse(shape: &Shape, input: ParseStream<'_>) -> Parsed {
    let known = match shape {
        Shape::Format(..) => grammar::attempt(input, |i| grammar::args(i, Dress::Named)).map(Parsed::Args),
        Shape::Log => grammar::attempt(input, |i| grammar::args(i, Dress::Fields)).map(Parsed::Args),
        Shape::Args(_) => grammar::attempt(input, grammar::plain_args).map(Parsed::Args),
        Shape::Vec => {
            grammar::attempt(input, grammar::vec_args).map(|(args, repeat)| Parsed::Vec(args, repeat))
        }
        Shape::Matches(_) => grammar::attempt(input, grammar::matches).map(|m| Parsed::Matches(Box::new(m))),
        Shape::Select => grammar::attempt(input, grammar::select).map(Parsed::Select),
        Shape::Json => grammar::attempt(input, json::values).map(Parsed::Args),
        Shape::CfgIf | Shape::Opaque | Shape::Guess => None,
    };
    if let Some(known) = known {
        return known;
    }
    if let Some(args) = grammar::attempt(input, |i| grammar::args(i, Dress::Named)) {
        return Parsed::GuessArgs(args);
    }
    if let Some(stmts) = grammar::attempt(input, syn::Block::parse_within) {
        return Parsed::GuessStmts(stmts);
    }
    grammar::rest(input);
    Parsed::Nothing
}

impl Lower<'_> {
    /// A macro invocation; returns its span too.
    pub(super) fn macro_expr(&mut self, mac: &mut syn::Macro) -> (ExprId, Span) {
        let path = self.path(None, &mac.path);
        let open = path.span.hi + 1;
        let adjacent = matches!(self.text.as_bytes().get(open as usize), Some(b'(' | b'[' | b'{'));
        let lo = if adjacent { open } else { self.lo(mac.delimiter.span().open()) };
        let delimiter = Span::new(lo, self.hi(mac.delimiter.span().close()));
        let span = Span::new(path.span.lo, delimiter.hi);
        let tokens = std::mem::take(&mut mac.tokens);
        let understood = self.understand(&path, tokens, delimiter);
        let call = MacroCall {
            path,
            kind: understood.kind,
            args: understood.args.into(),
            pats: understood.pats.into(),
            format: understood.format,
        };
        (self.alloc(ExprKind::Macro(Box::new(call)), span), span)
    }

    fn understand(&mut self, path: &Path, tokens: TokenStream, delimiter: Span) -> Understood {
        let name = path.segments.last().map_or("", |s| s.name.as_str());
        let shape = shape(name);
        if tokens.is_empty() {
            let kind = match shape {
                Shape::Format(_, kind) | Shape::Args(kind) | Shape::Matches(kind) => kind,
                Shape::Log => MacroKind::Log,
                Shape::Vec => MacroKind::Vec,
                Shape::Select => MacroKind::Select,
                Shape::Guess | Shape::CfgIf | Shape::Json => MacroKind::Guess,
                Shape::Opaque => MacroKind::Opaque,
            };
            return Understood::of(kind, Vec::new());
        }
        match shape {
            Shape::Opaque => return self.opaque(tokens),
            Shape::CfgIf => return self.cfg_if_expr(tokens),
            _ => {}
        }
        let parser = |input: ParseStream<'_>| Ok(parse(&shape, input));
        let as_written = tokens.clone();
        match (parser.parse2(tokens).unwrap_or(Parsed::Nothing), shape) {
            (Parsed::Args(args), Shape::Format(index, kind)) => self.formatted(args, Some(index), kind),
            (Parsed::Args(args), Shape::Log) => self.formatted(args, None, MacroKind::Log),
            (Parsed::Args(args), Shape::Args(kind)) => self.plain(args, kind),
            (Parsed::Args(args), Shape::Json) => self.plain(args, MacroKind::Format),
            (Parsed::Args(args) | Parsed::GuessArgs(args), _) => self.plain(args, MacroKind::Guess),
            (Parsed::Vec(mut args, repeat), _) => {
                let args = args.iter_mut().map(|a| self.expr(a)).collect();
                Understood::of(if repeat { MacroKind::VecRepeat } else { MacroKind::Vec }, args)
            }
            (Parsed::Matches(matches), Shape::Matches(kind)) => self.matches(*matches, kind),
            (Parsed::Matches(matches), _) => self.matches(*matches, MacroKind::Matches),
            (Parsed::Select(branches), _) => self.select(branches),
            (Parsed::GuessStmts(mut stmts), _) => {
                let inner = Span::new(delimiter.lo + 1, delimiter.hi.saturating_sub(1).max(delimiter.lo + 1));
                let was = std::mem::replace(&mut self.from_macro, true);
                let block = self.stmts(&mut stmts, BlockKind::Plain, None, inner);
                self.from_macro = was;
                Understood::of(MacroKind::Guess, vec![block])
            }
            (Parsed::Nothing, _) => self.opaque(as_written),
        }
    }

    /// Of tokens that are not understood, the variables that they name: what becomes of these, nobody knows.
    fn opaque(&mut self, tokens: TokenStream) -> Understood {
        let mut named: Vec<ExprId> = Vec::new();
        let mut seen: Vec<LocalId> = Vec::new();
        let mut work: Vec<TokenStream> = vec![tokens];
        while let Some(tokens) = work.pop() {
            for token in tokens {
                match token {
                    TokenTree::Group(group) => work.push(group.stream()),
                    TokenTree::Ident(ident) => {
                        let local = self.body.lookup(self.name(&ident));
                        if let Some(local) = local.filter(|local| !seen.contains(local)) {
                            seen.push(local);
                            let span = self.span(ident.span());
                            named.push(self.alloc(ExprKind::Local(local), span));
                        }
                    }
                    TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                }
            }
        }
        Understood::of(MacroKind::Opaque, named)
    }

    fn plain(&mut self, mut args: Vec<Arg>, kind: MacroKind) -> Understood {
        Understood::of(kind, args.iter_mut().map(|a| self.expr(&mut a.value)).collect())
    }

    fn matches(&mut self, mut parsed: Matches, kind: MacroKind) -> Understood {
        let mark = self.body.mark();
        let mut args = vec![self.expr(&mut parsed.value)];
        let pats = vec![self.pattern(&mut parsed.pat, false)];
        args.extend(parsed.guard.as_mut().map(|g| self.expr(g)));
        self.body.truncate(mark);
        let message = self.formatted(parsed.message, Some(0), kind);
        args.extend(message.args);
        Understood { kind, args, pats, format: message.format }
    }

    /// Lowers arguments of which one is a format string: at `index`, or the first unnamed string literal.
    fn formatted(&mut self, mut args: Vec<Arg>, index: Option<usize>, kind: MacroKind) -> Understood {
        let is_str = |a: &Arg| {
            a.name.is_none() && matches!(&a.value, Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(_), .. }))
        };
        let template = match index {
            Some(index) => args.get(index).is_some_and(is_str).then_some(index),
            None => args.iter().position(is_str),
        };
        let given: Vec<Name> = args
            .iter()
            .skip(template.map_or(0, |t| t + 1))
            .filter_map(|a| a.name.as_ref())
            .map(|n| self.name(n))
            .collect();
        let mut out = Vec::with_capacity(args.len());
        let mut format = None;
        for (index, arg) in args.iter_mut().enumerate() {
            if template == Some(index) {
                format = self.format_string(&arg.value, &given, &mut out);
            } else {
                out.push(self.expr(&mut arg.value));
            }
        }
        Understood { kind, args: out, pats: Vec::new(), format }
    }

    fn select(&mut self, branches: Vec<Branch>) -> Understood {
        let mut args = Vec::with_capacity(branches.len() * 2);
        let mut pats = Vec::with_capacity(branches.len());
        let mut elses = Vec::new();
        for branch in branches {
            match branch {
                Branch::Future(mut branch) => {
                    args.push(self.expr(&mut branch.future));
                    let mark = self.body.mark();
                    pats.push(self.pattern(&mut branch.pat, false));
                    args.push(self.expr(&mut branch.body));
                    self.body.truncate(mark);
                }
                Branch::Else(mut body) => elses.push(self.expr(&mut body)),
            }
        }
        // `default` and `complete` together: all but the last stand beside a future that nothing is known of.
        let last = elses.pop();
        for body in elses {
            let at = self.expr_span(body);
            let at = Span::new(at.lo, at.lo);
            args.push(self.missing(at));
            args.push(body);
            pats.push(self.alloc_pat(crate::hir::PatKind::Wild, at));
        }
        args.extend(last);
        Understood { kind: MacroKind::Select, args, pats, format: None }
    }

    /// `cfg_if!` among statements: the statements of the branch that holds, as a block.
    fn cfg_if_expr(&mut self, tokens: TokenStream) -> Understood {
        let Some(branches) = grammar::parse(tokens, grammar::cfg_if) else {
            return Understood::of(MacroKind::Opaque, Vec::new());
        };
        let mut args = Vec::with_capacity(branches.len());
        for branch in branches {
            if branch.cfg.as_ref().is_some_and(|a| self.is_off(a)) {
                continue;
            }
            let span = self.span(branch.span);
            if let Some(mut stmts) = grammar::parse(branch.tokens, syn::Block::parse_within) {
                args.push(self.stmts(&mut stmts, BlockKind::Plain, None, span));
            }
            break;
        }
        Understood::of(MacroKind::Guess, args)
    }
}
