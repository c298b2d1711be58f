//! The grammar of `json!`: objects and arrays with expressions in them.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, Lit, Token, token};

use super::macro_args::Arg;

/// Objects and arrays nested deeper are not read.
const DEPTH: u32 = 64;

/// The expressions in a value: those that stand for values and keys, in order.
pub(super) fn values(input: ParseStream<'_>) -> syn::Result<Vec<Arg>> {
    let mut out = Vec::new();
    value(input, &mut out, DEPTH)?;
    Ok(out)
}

fn value(input: ParseStream<'_>, out: &mut Vec<Arg>, depth: u32) -> syn::Result<()> {
    let Some(depth) = depth.checked_sub(1) else { return Err(input.error("nested too deeply")) };
    if input.peek(token::Brace) {
        let inner;
        syn::braced!(inner in input);
        return object(&inner, out, depth);
    }
    if input.peek(token::Bracket) && stands_alone(input) {
        let inner;
        syn::bracketed!(inner in input);
        return list(&inner, out, depth, value);
    }
    if input.peek(Ident) && input.fork().parse::<Ident>()? == "null" {
        input.parse::<Ident>()?;
        return Ok(());
    }
    out.push(Arg { name: None, value: input.parse()? });
    Ok(())
}

/// Whether nothing but a comma follows a group: `[a, b][0]` is an expression.
fn stands_alone(input: ParseStream<'_>) -> bool {
    let rest = input.cursor().token_tree().map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.eof() || rest.punct().is_some_and(|(p, _)| p.as_char() == ','))
}

fn list(
    input: ParseStream<'_>,
    out: &mut Vec<Arg>,
    depth: u32,
    one: fn(ParseStream<'_>, &mut Vec<Arg>, u32) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        one(input, out, depth)?;
        if input.is_empty() {
            break;
        }
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

fn object(input: ParseStream<'_>, out: &mut Vec<Arg>, depth: u32) -> syn::Result<()> {
    list(input, out, depth, |input, out, depth| {
        key(input, out)?;
        value(input, out, depth)
    })
}

/// A key with its colon: a literal, or an expression, in parentheses or not.
fn key(input: ParseStream<'_>, out: &mut Vec<Arg>) -> syn::Result<()> {
    if input.peek(Lit) && input.peek2(Token![:]) {
        input.parse::<Lit>()?;
    } else {
        let mut tokens = TokenStream::new();
        while !input.is_empty() && (!input.peek(Token![:]) || input.peek(Token![::])) {
            // Both halves of a `::`.
            if input.peek(Token![::]) {
                tokens.extend([input.parse::<TokenTree>()?]);
            }
            tokens.extend([input.parse::<TokenTree>()?]);
        }
        let parse = |input: ParseStream<'_>| input.parse::<Expr>();
        out.push(Arg { name: None, value: parse.parse2(tokens)? });
    }
    input.parse::<Token![:]>().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::lower_file;
    use crate::hir::{ExprKind, MacroKind};

    /// The arguments of the one macro in a function whose parameters are `a`, `b` and `c`, as written.
    fn args(invocation: &str) -> (MacroKind, Vec<String>) {
        let text = format!("fn f(a: u8, b: u8, c: u8) {{ let _x = {invocation}; }}\n");
        let hir = lower_file(&text).expect("it is Rust");
        let body = &hir.bodies[0];
        let found = body.exprs.iter().find_map(|e| match &e.kind {
            ExprKind::Macro(m) => Some(m),
            _ => None,
        });
        let m = found.expect("a macro");
        let written = |id: &crate::hir::ExprId| {
            let span = body.expr(*id).span;
            text[span.lo as usize..span.hi as usize].to_owned()
        };
        (m.kind, m.args.iter().map(written).collect())
    }

    #[test]
    fn values_and_keys_are_seen() {
        for (invocation, expected) in [
            ("json!(a)", &["a"][..]),
            ("json!({})", &[]),
            (
                r#"json!({ "k": a, "l": [b, null, {"m": c.abs()}], "n": { "o": true }, })"#,
                &["a", "b", "c.abs()", "true"],
            ),
            (
                r#"serde_json::json!({ (a.to_string()): [b][0], u8::MAX: { "x": f(c, a) } })"#,
                &["a.to_string()", "[b][0]", "u8::MAX", "f(c, a)"],
            ),
            ("json!([1, [a], ])", &["1", "a"]),
            (r#"json!({ a: b, "c": if a > b { c } else { 1 } })"#, &["a", "b", "if a > b { c } else { 1 }"]),
        ] {
            let (kind, found) = args(invocation);
            assert_eq!(found, expected, "{invocation}");
            assert!(matches!(kind, MacroKind::Format | MacroKind::Guess), "{invocation}: {kind:?}");
        }
    }

    #[test]
    fn of_other_grammars_the_variables_are_seen() {
        for (invocation, expected) in [
            ("html! { <p>{ a }</p> <b class={b}/> }", &["a", "b"][..]),
            ("quote!(fn g() { #c })", &["c"]),
            ("query!(SELECT x FROM y WHERE z = {a} AND {a})", &["a"]),
            (r#"json!({ "k" => a })"#, &["a"]),
        ] {
            let (kind, mut found) = args(invocation);
            found.sort();
            assert_eq!(
                (kind, &found[..]),
                (MacroKind::Opaque, &expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..]),
                "{invocation}"
            );
        }
    }
}
