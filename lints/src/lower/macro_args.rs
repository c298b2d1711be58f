//! Grammars of macro arguments: comma-separated expressions with names and sigils, `select!` branches, statics.

use proc_macro2::{Ident, Span as TokenSpan, TokenStream, TokenTree};
use syn::buffer::Cursor;
use syn::ext::IdentExt as _;
use syn::parse::{Parse as _, ParseStream, Parser as _};
use syn::{Attribute, Expr, Pat, Token, Type, Visibility};

/// How arguments may be dressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dress {
    /// `a, b`
    Plain,
    /// `name = a`
    Named,
    /// `target: a, name = ?b, %c, "key" = d, e.f = g; "message"`
    Fields,
}

/// One argument.
pub(super) struct Arg {
    pub(super) name: Option<Ident>,
    pub(super) value: Expr,
}

/// Runs a grammar over tokens; `None` if they do not fit it to the end.
pub(super) fn parse<T>(
    tokens: TokenStream,
    grammar: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> Option<T> {
    let whole = |input: ParseStream<'_>| {
        let out = grammar(input)?;
        if input.is_empty() { Ok(out) } else { Err(input.error("more than was expected")) }
    };
    whole.parse2(tokens).ok()
}

/// Tries grammars one after another on the same tokens.
pub(super) fn attempt<T>(
    input: ParseStream<'_>,
    grammar: fn(ParseStream<'_>) -> syn::Result<T>,
) -> Option<T> {
    use syn::parse::discouraged::Speculative as _;
    let ahead = input.fork();
    let out = grammar(&ahead).ok()?;
    if !ahead.is_empty() {
        return None;
    }
    input.advance_to(&ahead);
    Some(out)
}

/// Swallows what is left.
pub(super) fn rest(input: ParseStream<'_>) {
    let _ = input.parse::<TokenStream>();
}

/// Comma-separated arguments.
pub(super) fn args(input: ParseStream<'_>, dress: Dress) -> syn::Result<Vec<Arg>> {
    let mut out = Vec::new();
    while !input.is_empty() {
        match dress {
            Dress::Plain => out.push(Arg { name: None, value: value(input)? }),
            Dress::Named => out.push(named(input)?),
            Dress::Fields => field(input, &mut out)?,
        }
        if input.is_empty() {
            break;
        }
        if dress == Dress::Fields && input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
        } else {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(out)
}

fn named(input: ParseStream<'_>) -> syn::Result<Arg> {
    let name = if input.peek(Ident::peek_any)
        && input.peek2(Token![=])
        && !input.peek2(Token![==])
        && !input.peek2(Token![=>])
    {
        let name = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        Some(name)
    } else {
        None
    };
    Ok(Arg { name, value: value(input)? })
}

/// An expression. What most arguments are, a literal or a variable, costs no descent through all of its forms.
fn value(input: ParseStream<'_>) -> syn::Result<Expr> {
    let ends = |rest: Cursor<'_>| rest.eof() || matches!(rest.punct(), Some((p, _)) if p.as_char() == ',');
    let cursor = input.cursor();
    if let Some((_, rest)) = cursor.literal() {
        if ends(rest) {
            return Ok(Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit: input.parse()? }));
        }
    } else if input.peek(syn::Ident)
        && let Some((ident, rest)) = cursor.ident()
        && ends(rest)
    {
        input.parse::<Ident>()?;
        return Ok(lone(ident));
    }
    input.parse()
}

/// A field, directive or message of `tracing` and `log`.
fn field(input: ParseStream<'_>, out: &mut Vec<Arg>) -> syn::Result<()> {
    // `target: "x"`, `parent: &span`; and `log`'s `key:? = value`, `key:%`.
    if input.peek(Ident::peek_any) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
        let name: Ident = input.call(Ident::parse_any)?;
        input.parse::<Token![:]>()?;
        let sigil = input.peek(Token![?]) || input.peek(Token![%]) || input.peek2(Token![=]);
        if !sigil {
            out.push(Arg { name: Some(name), value: input.parse()? });
            return Ok(());
        }
        input.parse::<TokenTree>()?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            input.parse()?
        } else {
            lone(name.clone())
        };
        out.push(Arg { name: Some(name), value });
        return Ok(());
    }
    // `{ a = 1, b }, "message"`
    if input.peek(syn::token::Brace) && out.iter().all(|a| a.name.is_some()) {
        let ahead = input.fork();
        let group: TokenTree = ahead.parse()?;
        if let TokenTree::Group(group) = group
            && (ahead.is_empty() || ahead.peek(Token![,]))
            && let Some(mut fields) = parse(group.stream(), |input| args(input, Dress::Fields))
        {
            input.parse::<TokenTree>()?;
            out.append(&mut fields);
            return Ok(());
        }
    }
    let mut name = None;
    if field_name(input) {
        if input.peek(syn::LitStr) {
            name = Some(Ident::new("_", input.span()));
            input.parse::<syn::LitStr>()?;
        } else {
            name = Some(input.call(Ident::parse_any)?);
            while input.peek(Token![.]) {
                input.parse::<Token![.]>()?;
                input.call(Ident::parse_any)?;
            }
        }
        input.parse::<Token![=]>()?;
    }
    if input.peek(Token![?]) || input.peek(Token![%]) {
        input.parse::<TokenTree>()?;
        name = name.or_else(|| Some(Ident::new("_", TokenSpan::call_site())));
    }
    out.push(Arg { name, value: value(input)? });
    Ok(())
}

/// Whether `a.b.c =` or `"key" =` comes next.
fn field_name(input: ParseStream<'_>) -> bool {
    if input.peek(syn::LitStr) {
        return input.peek2(Token![=]) && !input.peek2(Token![==]);
    }
    if !input.peek(Ident::peek_any) {
        return false;
    }
    let ahead = input.fork();
    loop {
        if ahead.call(Ident::parse_any).is_err() {
            return false;
        }
        if ahead.peek(Token![=]) {
            return !ahead.peek(Token![==]) && !ahead.peek(Token![=>]);
        }
        if ahead.parse::<Token![.]>().is_err() {
            return false;
        }
    }
}

/// An expression of one identifier.
fn lone(ident: Ident) -> Expr {
    Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path: ident.into() })
}

/// Expressions after an optional `biased;`.
pub(super) fn plain_args(input: ParseStream<'_>) -> syn::Result<Vec<Arg>> {
    if input.peek(syn::Ident) && input.peek2(Token![;]) {
        input.parse::<Ident>()?;
        input.parse::<Token![;]>()?;
    }
    args(input, Dress::Plain)
}

/// `vec![…]`: elements, or element and length.
pub(super) fn vec_args(input: ParseStream<'_>) -> syn::Result<(Vec<Expr>, bool)> {
    let mut out = Vec::new();
    while !input.is_empty() {
        out.push(input.parse()?);
        if input.is_empty() {
            break;
        }
        if out.len() == 1 && input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            out.push(input.parse()?);
            return Ok((out, true));
        }
        input.parse::<Token![,]>()?;
    }
    Ok((out, false))
}

/// `matches!(value, pattern if guard, …)`; what follows are the message's arguments of `assert_matches!`.
pub(super) struct Matches {
    pub(super) value: Expr,
    pub(super) pat: Pat,
    pub(super) guard: Option<Expr>,
    pub(super) message: Vec<Arg>,
}

pub(super) fn matches(input: ParseStream<'_>) -> syn::Result<Matches> {
    let value = input.parse()?;
    input.parse::<Token![,]>()?;
    let pat = Pat::parse_multi_with_leading_vert(input)?;
    let guard = match input.parse::<Option<Token![if]>>()? {
        Some(_) => Some(input.parse()?),
        None => None,
    };
    let mut message = Vec::new();
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
        message = args(input, Dress::Named)?;
    }
    Ok(Matches { value, pat, guard, message })
}

/// A branch of `select!`.
pub(super) enum Branch {
    /// `pat = future, if guard => body`
    Future(Box<FutureBranch>),
    /// `else => body`, `default => body`, `complete => body`
    Else(Box<Expr>),
}

/// What stands in a branch with a future; the guard is dropped.
pub(super) struct FutureBranch {
    pub(super) pat: Pat,
    pub(super) future: Expr,
    pub(super) body: Expr,
}

pub(super) fn select(input: ParseStream<'_>) -> syn::Result<Vec<Branch>> {
    let mut out = Vec::new();
    if input.peek(syn::Ident) && input.peek2(Token![;]) {
        // `biased;`
        input.parse::<Ident>()?;
        input.parse::<Token![;]>()?;
    }
    while !input.is_empty() {
        out.push(branch(input)?);
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(out)
}

fn branch(input: ParseStream<'_>) -> syn::Result<Branch> {
    if input.peek(Token![else]) || input.peek(syn::Ident) && input.peek2(Token![=>]) {
        input.call(Ident::parse_any)?;
        input.parse::<Token![=>]>()?;
        return Ok(Branch::Else(Box::new(branch_body(input)?)));
    }
    // crossbeam: `recv(channel) -> pat => body`, `default(timeout) => body`.
    if input.peek(syn::Ident) && input.peek2(syn::token::Paren) {
        let arrow = input.peek3(Token![->]);
        if arrow || input.peek3(Token![=>]) {
            let operation: Ident = input.parse()?;
            let content;
            let paren_token = syn::parenthesized!(content in input);
            let args = content.parse_terminated(Expr::parse, Token![,])?;
            let func = Box::new(lone(operation));
            let future = Expr::Call(syn::ExprCall { attrs: Vec::new(), func, paren_token, args });
            let pat = if arrow {
                input.parse::<Token![->]>()?;
                Pat::parse_multi_with_leading_vert(input)?
            } else {
                Pat::Wild(syn::PatWild { attrs: Vec::new(), underscore_token: Token![_](input.span()) })
            };
            input.parse::<Token![=>]>()?;
            return Ok(Branch::Future(Box::new(FutureBranch { pat, future, body: branch_body(input)? })));
        }
    }
    let pat = Pat::parse_multi_with_leading_vert(input)?;
    input.parse::<Token![=]>()?;
    let future = input.parse()?;
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        input.parse::<Token![if]>()?;
        input.parse::<Expr>()?;
    }
    input.parse::<Token![=>]>()?;
    Ok(Branch::Future(Box::new(FutureBranch { pat, future, body: branch_body(input)? })))
}

fn branch_body(input: ParseStream<'_>) -> syn::Result<Expr> {
    Expr::parse_with_earlier_boundary_rule(input)
}

/// A member of `lazy_static!` or `thread_local!`.
pub(super) struct StaticArg {
    pub(super) attrs: Vec<Attribute>,
    pub(super) vis: Visibility,
    pub(super) keyword: TokenSpan,
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) value: Expr,
    pub(super) end: Option<TokenSpan>,
}

pub(super) fn statics(input: ParseStream<'_>) -> syn::Result<Vec<StaticArg>> {
    let mut out = Vec::new();
    while !input.is_empty() {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let keyword = input.parse::<Token![static]>()?.span;
        input.parse::<Option<Token![ref]>>()?;
        let ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let ty = input.parse()?;
        input.parse::<Token![=]>()?;
        // `const { … }` and `const …` of `thread_local!`.
        if input.peek(Token![const]) && !input.peek2(syn::token::Brace) {
            input.parse::<Token![const]>()?;
        }
        let value = input.parse()?;
        let end = input.parse::<Option<Token![;]>>()?.map(|t| t.spans[0]);
        if end.is_none() && !input.is_empty() {
            return Err(input.error("expected `;`"));
        }
        out.push(StaticArg { attrs, vis, keyword, ident, ty, value, end });
    }
    Ok(out)
}

/// A branch of `cfg_if!`: its predicate (none for `else`) and the tokens of its block.
pub(super) struct CfgBranch {
    pub(super) cfg: Option<Attribute>,
    pub(super) tokens: TokenStream,
    pub(super) span: TokenSpan,
}

pub(super) fn cfg_if(input: ParseStream<'_>) -> syn::Result<Vec<CfgBranch>> {
    let mut out = Vec::new();
    while !input.is_empty() {
        if !out.is_empty() {
            input.parse::<Token![else]>()?;
        }
        let cfg = if input.peek(Token![if]) {
            input.parse::<Token![if]>()?;
            input.call(Attribute::parse_outer)?.into_iter().next()
        } else {
            None
        };
        let TokenTree::Group(group) = input.parse()? else {
            return Err(input.error("expected a block"));
        };
        out.push(CfgBranch { cfg, tokens: group.stream(), span: group.span() });
    }
    Ok(out)
}
