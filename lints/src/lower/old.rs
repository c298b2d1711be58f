//! Edition 2015 writes what the parser, which knows later editions only, does not take: parameters of a trait's methods
//! without a name (`fn f(u8);`), and `async`, `await`, `try` and mostly `dyn` as names; and it writes, as 2018 still does,
//! trait objects of `Fn` without `dyn` (`Box<Fn() + Send>`). They are
//! written as later editions do, in tokens, so that every token keeps its place. And `pub impl`, which the compiler's
//! parser lets pass because an attribute on it may make something else of it, loses its `pub`.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};

/// The tokens of `code`, which is of `edition`, as the parser takes them; `None` if they are no tokens.
pub(super) fn modern(code: &str, edition: u16) -> Option<TokenStream> {
    code.parse().ok().map(|tokens| rewrite(tokens, edition))
}

fn rewrite(tokens: TokenStream, edition: u16) -> TokenStream {
    let of_2015 = edition == 2015;
    let mut out: Vec<TokenTree> = Vec::new();
    // After `trait`, the next braces are its body.
    let mut in_trait_head = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                let is_body = of_2015 && in_trait_head && group.delimiter() == Delimiter::Brace;
                in_trait_head &= !is_body;
                let inner = rewrite(group.stream(), edition);
                out.push(with_inner(&group, if is_body { name_params(inner) } else { inner }));
            }
            TokenTree::Ident(ident) => {
                in_trait_head |= ident == "trait";
                let ident = if of_2015 && is_name(&ident, out.last(), tokens.peek()) {
                    Ident::new_raw(&ident.to_string(), ident.span())
                } else {
                    ident
                };
                let is_fn =
                    edition < 2021 && ["Fn", "FnMut", "FnOnce", "FnBox"].iter().any(|name| ident == name);
                let span = ident.span();
                if ident == "impl" {
                    drop_visibility(&mut out);
                }
                out.push(ident.into());
                if is_fn
                    && matches!(tokens.peek(), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis)
                    && let Some(start) = bare_object(&out)
                {
                    out.insert(start, Ident::new("dyn", span).into());
                }
            }
            TokenTree::Punct(punct) => {
                in_trait_head &= punct.as_char() != ';';
                out.push(punct.into());
            }
            literal @ TokenTree::Literal(_) => out.push(literal),
        }
    }
    out.into_iter().collect()
}

/// Takes `pub` or `pub(crate)` off the end.
fn drop_visibility(out: &mut Vec<TokenTree>) {
    let is_pub = |token: &TokenTree| matches!(token, TokenTree::Ident(i) if *i == "pub");
    let parens =
        |token: &TokenTree| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Parenthesis);
    match &out[..] {
        [.., last] if is_pub(last) => out.truncate(out.len() - 1),
        [.., visible, scope] if is_pub(visible) && parens(scope) => out.truncate(out.len() - 2),
        _ => {}
    }
}

/// Whether a word that is a keyword since 2018 is a name here.
fn is_name(ident: &Ident, before: Option<&TokenTree>, after: Option<&TokenTree>) -> bool {
    // `try!(…)` is read as it stands.
    let calls = after.is_some_and(|t| is_punct(t, '!'));
    let begins_bound = match after {
        Some(TokenTree::Ident(_)) => true,
        Some(TokenTree::Punct(p)) => matches!(p.as_char(), '\'' | '?'),
        Some(TokenTree::Group(g)) => {
            g.delimiter() == Delimiter::Parenthesis
                && !matches!(before, Some(TokenTree::Ident(i)) if *i == "fn")
        }
        _ => false,
    };
    match ident.to_string().as_str() {
        "async" | "await" => true,
        "try" => !calls,
        "dyn" => !begins_bound,
        _ => false,
    }
}

/// Where the path at the end of `tokens` begins, if it stands where a type does and not a bound.
fn bare_object(tokens: &[TokenTree]) -> Option<usize> {
    let colons = |end: usize| end >= 2 && tokens[end - 2..end].iter().all(|t| is_punct(t, ':'));
    let mut start = tokens.len().checked_sub(1)?;
    while colons(start) {
        start -= 2;
        if start > 0 && matches!(tokens[start - 1], TokenTree::Ident(_)) {
            start -= 1;
        }
    }
    let before = tokens.get(start.checked_sub(1)?)?;
    let is_type = match before {
        TokenTree::Punct(p) => matches!(p.as_char(), '<' | '&' | '='),
        // `&mut Fn()`, `&'a Fn()`
        TokenTree::Ident(i) => *i == "mut" || (start >= 2 && is_punct(&tokens[start - 2], '\'')),
        _ => false,
    };
    is_type.then_some(start)
}

fn with_inner(group: &Group, inner: TokenStream) -> TokenTree {
    let mut new = Group::new(group.delimiter(), inner);
    new.set_span(group.span());
    new.into()
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == char)
}

/// In the body of a trait: gives each parameter without a name `_`.
fn name_params(body: TokenStream) -> TokenStream {
    let mut out: Vec<TokenTree> = Vec::new();
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_fn = matches!(&token, TokenTree::Ident(i) if *i == "fn");
        out.push(token);
        if !is_fn || !matches!(tokens.peek(), Some(TokenTree::Ident(_))) {
            continue;
        }
        out.extend(tokens.next());
        // The generics may hold parentheses of their own: `<F: Fn(u8) -> u8>`.
        let mut angles = Angles::default();
        for token in tokens.by_ref() {
            angles.see(&token);
            match token {
                TokenTree::Group(params) if angles.depth == 0 => {
                    let named = split(params.stream()).into_iter().flat_map(name).collect();
                    out.push(with_inner(&params, named));
                    break;
                }
                other => out.push(other),
            }
        }
    }
    out.into_iter().collect()
}

/// Parameters, each with the comma after it.
fn split(params: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut out = vec![Vec::new()];
    let mut angles = Angles::default();
    for token in params {
        angles.see(&token);
        let ends = angles.depth == 0 && is_punct(&token, ',');
        if let Some(param) = out.last_mut() {
            param.push(token);
        }
        if ends {
            out.push(Vec::new());
        }
    }
    out
}

/// One parameter with a name, if it had none.
fn name(param: Vec<TokenTree>) -> Vec<TokenTree> {
    // `:` alone follows a pattern; `::` is a path.
    let mut after_colon = false;
    let mut named = false;
    let mut receiver = false;
    let mut angles = Angles::default();
    for (at, token) in param.iter().enumerate() {
        angles.see(token);
        if let TokenTree::Punct(p) = token
            && p.as_char() == ':'
        {
            named |= angles.depth == 0 && !after_colon && p.spacing() == Spacing::Alone;
            after_colon = !after_colon && p.spacing() == Spacing::Joint;
            continue;
        }
        after_colon = false;
        let path = param.get(at + 1).is_some_and(|next| is_punct(next, ':'));
        receiver |= matches!(token, TokenTree::Ident(i) if *i == "self") && !path && angles.depth == 0;
    }
    let attributes = 2 * param.iter().step_by(2).take_while(|t| is_punct(t, '#')).count();
    let Some(first) = param.get(attributes).filter(|_| !named && !receiver) else { return param };
    let mut colon = Punct::new(':', Spacing::Alone);
    colon.set_span(first.span());
    let mut out = param.clone();
    out.splice(attributes..attributes, [Ident::new("_", first.span()).into(), colon.into()]);
    out
}

/// How deep in `<…>`; the `>` of `->` closes none.
#[derive(Default)]
struct Angles {
    depth: usize,
    after_minus: bool,
}

impl Angles {
    fn see(&mut self, token: &TokenTree) {
        if is_punct(token, '<') {
            self.depth += 1;
        } else if is_punct(token, '>') && !self.after_minus {
            self.depth = self.depth.saturating_sub(1);
        }
        self.after_minus = is_punct(token, '-');
    }
}

#[cfg(test)]
mod tests {
    use super::super::{lower_file, lower_file_of};
    use crate::hir::ItemKind;

    fn params(text: &str, name: &str) -> usize {
        let hir = lower_file_of(text, 2015).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let item = hir.items.iter().find(|i| i.name.as_str() == name).expect("it is there");
        let at = item.name_span;
        assert_eq!(&text[at.lo as usize..at.hi as usize], name, "places are kept");
        match &item.kind {
            ItemKind::Fn(f) => f.params.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_without_names() {
        for (params_of_g, count) in [
            ("u8", 1),
            ("&self, u8, Vec<Option<u8>>", 2),
            ("self, a: u8, ::std::io::Error, self::T", 3),
            ("&'static mut self, Map<u8, u8>, fn(u8) -> u8, (u8, u8)", 3),
            ("self: Box<Self>, &[u8],", 1),
            ("#[cfg(x)] #[cfg(y)] u8, &Fn(u8) -> Map<u8, u8>", 2),
            ("Box<Fn(u8) + Send>, Box<Fn() -> u8>", 2),
            ("&mut FnMut(), &'static Fn(), Box<::std::ops::Fn()>, Box<ops::Fn() + 'static>", 4),
        ] {
            let text = format!(
                "fn before() {{}}\n/// Words.\npub trait T<A: Fn(u8)>: Sized where A: Copy {{\n    fn h(_: u8);\n    fn g<F: Fn(u8) -> u8>({params_of_g}) -> u8 where F: Copy;\n    fn é() {{}}\n}}\nfn after(b: u8) {{}}\n"
            );
            assert_eq!(params(&text, "g"), count, "{text}");
            assert_eq!(params(&text, "h"), 1);
            assert_eq!(params(&text, "after"), 1);
            assert!(lower_file(&text).is_err(), "later editions have no such thing: {text}");
        }
    }

    #[test]
    fn trait_objects_of_2018() {
        let text =
            "trait T { fn g(&self, f: u8) -> Option<&Rc<Fn(&u8) -> Box<FnMut()>>>; }\nfn async_() {}\n";
        assert!(lower_file_of(text, 2018).is_ok());
        assert!(lower_file_of(text, 2021).is_err());
        assert!(lower_file_of("fn async() {}\n", 2018).is_err(), "a keyword since 2018");
    }

    #[test]
    fn names_that_are_keywords_by_now() {
        let text = "mod async { pub fn await() {} }\nfn dyn(try: u8, dyn: Box<dyn Fn(u8)>) -> &dyn T { ::async::await(); dyn.f(try!(try)) }\n";
        assert_eq!(params(text, "dyn"), 2);
        assert!(lower_file(text).is_err(), "later editions have no such names");
    }

    #[test]
    fn what_is_no_rust_in_2015_either_is_reported_as_written() {
        let text = "trait T { fn f(u8); }\nfn g( {\n";
        assert_eq!(lower_file_of(text, 2015), lower_file(text));
        let text = "fn f(u8) {}\n";
        let error = lower_file_of(text, 2015).expect_err("only traits have it");
        assert_eq!(Err(error), lower_file(text));
        let text = "type F = Fn() + Send;\nstatic G: Option<F> = None;\n";
        assert!(lower_file_of(text, 2015).is_ok() && lower_file(text).is_err());
    }
}
